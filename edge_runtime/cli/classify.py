"""``edge-runtime classify``: labels image files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.cli.flag_names import name_flags
from edge_runtime.cli.flags import (
    add_classifier_flags,
    add_format_flag,
    add_region_flag,
    open_flagged_classifier,
    open_flagged_model,
    say,
    verb_parser,
)
from edge_runtime.errors import DataError, EdgeRuntimeError
from edge_runtime.system.printable import printable
from edge_runtime.system.redact import redact_arguments

if TYPE_CHECKING:
    from argparse import Namespace

    from edge_runtime.cli.explain import Explainer
    from edge_runtime.contract import InputSpec
    from edge_runtime.inference.classifier import Classifier
    from edge_runtime.model.model_file import ModelFile
    from edge_runtime.pixels.preprocess import Image


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "classify",
        "Labels image files, one line each; an image that cannot be read is reported, and the others "
        "are still labelled.",
        "edge-runtime classify photo.jpg",
        "edge-runtime classify holiday/",
        "edge-runtime classify --demo",
        "edge-runtime classify --explain looked.png photo.jpg",
        "edge-runtime classify --model flowers.tflite --top-k 1 --format jsonl *.jpg",
        "edge-runtime classify --model mobilenet.tflite --labels labels.txt photo.jpg",
    )
    parser.add_argument(
        "images", nargs="*", metavar="IMAGE", help="image files (JPEG, PNG, WebP, BMP, TIFF), or folders of them"
    )
    parser.add_argument("--demo", action="store_true", help="the images that came with the model, to try it out")
    add_classifier_flags(parser)
    add_format_flag(parser)
    parser.add_argument(
        "--full-size", action="store_true", help="decode JPEGs at full size even if the model needs far less (slower)"
    )
    add_region_flag(parser, "the whole")
    parser.add_argument(
        "--explain",
        type=Path,
        metavar="PNG|DIR",
        help="save an image of where the model looked, or a folder with one for each image",
    )
    flags = parser.parse_args(arguments)
    if bool(flags.images) == flags.demo:
        parser.error("expected image files or --demo, one of the two")

    from edge_runtime.live.results import Result
    from edge_runtime.outputs.formats import open_sink
    from edge_runtime.outputs.stdout import Outlet
    from edge_runtime.system.clock import monotonic_s, read_wall_time_s

    exit_code = 0
    sink = open_sink(flags.format, Outlet(sys.stdout), sys.stderr)
    model = open_flagged_model(flags)
    with open_flagged_classifier(flags, model, maps=flags.explain is not None) as classifier:
        explainer = open_explainer(flags, classifier)
        spec = None if flags.full_size else classifier.input_spec
        images = read_demo(model) if flags.demo else read_files(flags.images)
        for seq, (name, read) in enumerate(images):
            started_s = monotonic_s()
            try:
                prediction = classifier.classify(read(spec))
            except EdgeRuntimeError as error:
                text = redact_arguments(name_flags(error), flags.images)
                print(printable(f"edge-runtime: {text}"), file=sys.stderr)
                exit_code = exit_code or error.exit_code
                continue
            sink.result(Result(seq, read_wall_time_s(), (monotonic_s() - started_s) * 1e3, prediction, 0, name))
            if explainer is not None:
                large = read(None if flags.full_size else explainer.spec)
                say(flags, explainer.write(name, seq, large, prediction))
    return exit_code


def open_explainer(flags: Namespace, classifier: Classifier) -> Explainer | None:
    """The `Explainer` that --explain asks for, None without the flag; raises what `Explainer` raises."""
    if flags.explain is None:
        return None
    from edge_runtime.cli.explain import Explainer

    several = flags.demo or len(flags.images) > 1 or Path(flags.images[0]).is_dir()
    return Explainer(flags.explain, classifier, several=several)


def read_files(names: list[str]) -> Iterator[tuple[str, Callable[[InputSpec | None], Image]]]:
    """(name, function that reads it) for each image file in ``names``, and for each one below the folders among them.

    The function gives (h, w, 3) uint8 BGR, decoded no smaller than the spec passed to it needs, and raises what
    `read_shrunk` raises.

    Raises:
        DataError: a folder holds no images.
    """
    from edge_runtime.pixels.image_file import list_images
    from edge_runtime.pixels.shrink import read_shrunk

    for name in names:
        found = [str(path) for path in list_images(name)] if Path(name).is_dir() else [name]
        if not found:
            raise DataError(f"The folder {name} holds no image, expected files such as photo.jpg or photo.png.")
        for each in found:
            yield each, partial(read_shrunk, each)


def read_demo(model: ModelFile) -> Iterator[tuple[str, Callable[[InputSpec | None], Image]]]:
    """The golden images of ``model``, (h, w, 3) uint8 BGR, in the form in which `read_files` gives files.

    Raises:
        DataError: the model carries no golden images.
    """
    if model.goldens is None:
        raise DataError(f"{model.contract.spec.name} carries no images to show; name an image file instead of --demo.")
    for number, image in enumerate(model.goldens.images):
        yield f"demo {number}", partial(_take, np.ascontiguousarray(image))


def _take(image: Image, spec: InputSpec | None) -> Image:
    return image
