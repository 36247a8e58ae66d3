"""Command line of the conversion: flags -> ConvertConfig -> stages -> exit code."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# Set before TensorFlow is imported: its start-up messages mean nothing to whoever converts a model.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from convert.config import IO_DTYPES, ConvertConfig
from convert.foreign_flags import add_foreign_flags, read_foreign_flags
from convert.pipeline import ConversionResult, convert
from convert.report.conversion_text import to_markdown
from convert.report.next_steps import list_next_steps
from convert.report.verdict import judge
from edge_runtime.cli.verb_parser import VerbParser, add_quiet_flag
from edge_runtime.system.command import run_command
from edge_runtime.system.quiet_start import silence_stderr

_EXAMPLES = """examples:
  python -m convert runs/resnet8   # writes build/resnet8.tflite
  python -m convert runs/resnet8 --out build/x.tflite --max-drop 0.5 --force
  python -m convert model.keras --labels labels.txt --calibration images/train --test images/test
exit codes: 0 written, 1 the accuracy gate refused (a report is written, no model), 2 usage,
  65 bad model or data, 66 input missing
"""


def parse(arguments: Sequence[str] | None = None) -> tuple[ConvertConfig, argparse.Namespace]:
    """The configuration that the command line describes, and the flags that say what to print.

    Raises:
        UsageError: options contradict each other.
    """
    parser = VerbParser(
        prog="python -m convert",
        description="Turns a training run, or a .keras file, into one verified full-integer .tflite file.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, help="a run directory that train wrote, or a .keras file")
    parser.add_argument("--out", type=Path, help="the file to write (default: build/NAME.tflite)")
    parser.add_argument("--name", help="the model's name (default: that of the run or file)")
    parser.add_argument(
        "--calibration-images", type=int, default=200, metavar="N", help="images to calibrate on (default: 200)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed for drawing the calibration images (default: 0)")
    parser.add_argument("--io", choices=IO_DTYPES, default="uint8", help="type of input and output (default: uint8)")
    _add_limits(parser)
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")
    parser.add_argument("--json", action="store_true", help="print the result as one line of JSON")
    add_quiet_flag(parser)
    add_foreign_flags(parser)
    options = parser.parse_args(arguments)
    return _config(options), options


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """The flags that say how much conversion may lose, when an answer is unknown, and what is tested besides."""
    parser.add_argument(
        "--max-drop",
        type=float,
        default=1.0,
        metavar="POINTS",
        help="largest accepted drop in accuracy, in percentage points (default: 1.0)",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        help="probability below which the answer is unknown (default: fitted, see --precision)",
    )
    parser.add_argument(
        "--precision",
        type=float,
        default=95.0,
        metavar="PERCENT",
        help="wanted share of correct answers among those that are not unknown (default: 95)",
    )
    parser.add_argument(
        "--acceptance",
        type=float,
        default=92.0,
        metavar="PERCENT",
        help="wanted share of images of the classes that are not called unknown; lowered where the validation images "
        "show that too many answers would be wrong (default: 92)",
    )
    parser.add_argument(
        "--out-of-distribution",
        type=Path,
        metavar="DIR",
        help="a folder of images that belong to none of the classes: the report says how many are called unknown; "
        "if there are 20 or more, half of them help to decide whether neighbours are used",
    )
    parser.add_argument(
        "--field-test",
        choices=("on", "off"),
        default="on",
        help="also test on the test images as a camera would show them: small, in other light, blurred (default: on)",
    )


def _config(options: argparse.Namespace) -> ConvertConfig:
    return ConvertConfig(
        source=options.source,
        out=options.out,
        name=options.name,
        num_calibration_images=options.calibration_images,
        seed=options.seed,
        io=options.io,
        max_drop=options.max_drop,
        threshold=options.threshold,
        precision=options.precision / 100,
        acceptance=options.acceptance / 100,
        out_of_distribution=options.out_of_distribution,
        force=options.force,
        field_test=options.field_test == "on",
        foreign=read_foreign_flags(options),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, or those of the process, and returns its exit code."""
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    config, options = parse(arguments)
    with silence_stderr(options.quiet):
        result = convert(config)
    print(_as_json(result) if options.json else _as_text(result))
    if result.path is None:
        for refusal in result.report.verification.refusals:
            print(f"refused: {refusal}", file=sys.stderr)
        return 1
    return 0


def _as_json(result: ConversionResult) -> str:
    report = result.report
    verdict = judge(report)
    return json.dumps(
        {
            "out": None if result.path is None else str(result.path),
            "passed": report.verification.passed,
            "refusals": report.verification.refusals,
            "float_correct": report.verification.float_num_correct,
            "correct": {backend.backend: backend.num_correct for backend in report.verification.backends},
            "num_images": report.verification.num_images,
            "verdict": dataclasses.asdict(verdict),
            "next_steps": list_next_steps(report, verdict),
            "bytes": report.bytes_after_packing,
            "file_bytes": report.file_bytes,
            "frame_ms": report.image_time.p50_ms if report.image_time else None,
            "macs": report.audit.macs,
            "parameters": report.audit.parameters,
            "threshold": report.unknown.test.threshold if report.unknown else None,
            "coverage": report.unknown.test.coverage if report.unknown else None,
            "precision": report.unknown.test.precision if report.unknown else None,
            "report": str(result.report_html),
        }
    )


def _as_text(result: ConversionResult) -> str:
    written = f"{result.path} written" if result.path else "no file written"
    return f"{written}, report: {result.report_html}\n\n{to_markdown(result.report)}"


if __name__ == "__main__":
    sys.exit(main())
