"""``edge-runtime classify``: labels image files."""

from __future__ import annotations

import sys

from edge_runtime.cli.flag_names import name_flags
from edge_runtime.cli.flags import (
    add_classifier_flags,
    add_format_flag,
    open_flagged_classifier,
    open_flagged_model,
    verb_parser,
)
from edge_runtime.errors import EdgeRuntimeError


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "classify",
        "Labels image files, one line each; an image that cannot be read is reported and the others go on.",
        "edge-runtime classify photo.jpg",
        "edge-runtime classify --model flowers.tflite --top-k 1 --format jsonl *.jpg",
        "edge-runtime classify --model mobilenet.tflite --labels labels.txt photo.jpg",
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="image files: JPEG, PNG, WebP, BMP, TIFF")
    add_classifier_flags(parser)
    add_format_flag(parser)
    parser.add_argument(
        "--full-size", action="store_true", help="decode JPEG whole even where the model needs far less (slower)"
    )
    flags = parser.parse_args(arguments)

    from edge_runtime.live.results import Result
    from edge_runtime.outputs.formats import open_sink
    from edge_runtime.outputs.stdout import Outlet
    from edge_runtime.pixels.shrink import read_shrunk
    from edge_runtime.system.clock import monotonic_s, wall_time_s

    exit_code = 0
    sink = open_sink(flags.format, Outlet(sys.stdout), sys.stderr)
    with open_flagged_classifier(flags, open_flagged_model(flags)) as classifier:
        spec = None if flags.full_size else classifier.contract.spec.input
        for seq, name in enumerate(flags.images):
            started_s = monotonic_s()
            try:
                prediction = classifier.classify(read_shrunk(name, spec))
            except EdgeRuntimeError as error:
                print(f"edge-runtime: {name_flags(error)}", file=sys.stderr)
                exit_code = exit_code or error.exit_code
                continue
            sink.result(Result(seq, wall_time_s(), (monotonic_s() - started_s) * 1e3, prediction, 0, name))
    return exit_code
