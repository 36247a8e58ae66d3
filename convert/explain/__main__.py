"""Where did the accuracy go? Compares the integer model with the float model layer by layer on real test images.

Usage: python -m convert.explain FILE
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convert.config import ConvertConfig
from convert.converter.contract import derive_spec, shorten_data_path
from convert.converter.opened import open_integer
from convert.converter.quantize import to_float
from convert.explain.layer_signals import measure_layers
from convert.explain.report import Explanation, explain_signals, to_html, to_json_text, to_markdown
from convert.foreign_flags import add_foreign_flags, read_foreign_flags
from convert.inputs.calibration import choose_calibration
from convert.inputs.run_directory import read_run_directory
from convert.inputs.source import Source
from convert.output.atomic import expect_room, write_text_atomically
from convert.output.progress import stage
from convert.pipeline import read_source
from edge_runtime.cli.verb_parser import VerbParser, add_quiet_flag
from edge_runtime.contract import Contract
from edge_runtime.errors import DataError, MissingInputError, UsageError
from edge_runtime.inference.quantization import apply_pixel_table, make_pixel_table
from edge_runtime.model.model_file import ModelFile, open_model
from edge_runtime.pixels.preprocess import preprocess
from edge_runtime.system.command import run_command
from edge_runtime.system.quiet_start import silence_stderr

NUM_IMAGES = 64
RUNS = Path("runs")
_EXAMPLES = """examples:
  python -m convert.explain build/resnet8.tflite   # finds its run under runs/
  python -m convert.explain build/resnet8.tflite --run elsewhere/resnet8
  python -m convert.explain runs/resnet8   # converts the run in memory first
"""


def explain(source: Source, model: ModelFile, num_images: int = NUM_IMAGES) -> Explanation:
    """The Explanation of the integer ``model`` of ``source``, on ``num_images`` spread over its test split.

    Raises:
        ModelError: the converter refuses the float model, or the two have no layer in common.
    """
    stage("Converting the float model")
    float_model = to_float(source)
    entries = source.test or source.calibration
    chosen = np.unique(np.linspace(0, len(entries) - 1, min(num_images, len(entries))).round().astype(int))
    contract = model.contract
    stored_pixels = make_pixel_table(contract.normalization, contract.input_tensor)
    inputs = []
    for index in chosen.tolist():
        pixels = preprocess(entries[index].read(), contract.spec.input)
        inputs.append((pixels.astype(np.float32), apply_pixel_table(pixels, stored_pixels)))
    signals, agreement = measure_layers(float_model, model.flatbuffer, inputs)
    return explain_signals(contract.spec.name, signals, len(inputs), agreement)


def find_run(contract: Contract, folder: Path) -> Path:
    """The run directory below ``folder`` whose training configuration is the one inside the file.

    Raises:
        MissingInputError: there is none.
    """
    training = contract.provenance.get("training")
    for path in sorted(folder.glob("*/config.json")):
        try:
            if shorten_data_path(json.loads(path.read_text("utf-8"))) == training:
                return path.parent
        except (OSError, ValueError):
            continue
    raise MissingInputError(
        f"No run directory under {folder}/ has the training configuration of {contract.spec.name}; give its run with "
        "--run DIR: the float model and the images are there."
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags."""
    parser = VerbParser(
        prog="python -m convert.explain",
        description="Shows which layers of an integer model lose accuracy, and what helps.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="a .tflite of `python -m convert`, a run directory or a .keras file"
    )
    parser.add_argument("--run", type=Path, metavar="DIR", help="the run that FILE was made from (default: found)")
    parser.add_argument(
        "--images", type=int, default=NUM_IMAGES, help=f"test images to look at (default: {NUM_IMAGES})"
    )
    parser.add_argument("--out", type=Path, metavar="PAGE", help="the page (default: build/explain-NAME.html)")
    parser.add_argument("--force", action="store_true", help="replace the page if it exists")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    add_quiet_flag(parser)
    add_foreign_flags(parser)
    options: argparse.Namespace = parser.parse_args(arguments)
    return options


def _opened(options: argparse.Namespace) -> tuple[Source, ModelFile]:
    if options.images < 1:
        raise UsageError(f"--images is {options.images}, expected at least 1.")
    foreign = read_foreign_flags(options)
    if options.file.is_dir() or foreign is not None:
        defaults = ConvertConfig(options.file, foreign=foreign)
        source = read_source(defaults)
        calibration = choose_calibration(source, defaults.num_calibration_images, defaults.seed)
        spec = derive_spec(source, None)
        stage(f"Converting {options.file}")
        return source, open_integer(source, spec, calibration, defaults.io).model
    model = open_model(options.file)
    if model.assumptions:
        raise DataError(
            f"{options.file} was not made by `python -m convert`, so there is no float model to compare with."
        )
    return read_run_directory(options.run or find_run(model.contract, RUNS)), model


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, or those of the process, and returns its exit code."""
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    options = parse(arguments)
    out = options.out or Path("build") / f"explain-{options.file.resolve().stem}.html"
    if out.suffix != ".html":
        raise UsageError(f"The page is {out}, expected a name that ends in .html.")
    expect_room(out, force=options.force)
    with silence_stderr(options.quiet):
        explanation = explain(*_opened(options), options.images)
    texts = {".html": to_html(explanation), ".json": to_json_text(explanation), ".md": to_markdown(explanation)}
    for suffix, text in texts.items():
        write_text_atomically(out.with_suffix(suffix), text)
    print(texts[".json" if options.json else ".md"])
    if not options.quiet:
        stage(f"{out} written, with .json and .md beside it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
