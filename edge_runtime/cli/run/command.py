"""``edge-runtime run``: labels what a camera sees, until it ends."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from edge_runtime.cli.flags import (
    add_camera_flags,
    add_classifier_flags,
    add_format_flag,
    add_region_flag,
    say,
    verb_parser,
)
from edge_runtime.cli.run.outputs import add_output_flags, choose_smallest_input, open_outputs
from edge_runtime.cli.run.shadow import add_shadow_flags, open_shadow

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from edge_runtime.inference.classifier import Classifier
    from edge_runtime.system.signals import StopRequest


def run_parser() -> ArgumentParser:
    """The parser of the flags of ``run``."""
    import argparse

    parser = verb_parser(
        "run",
        "Labels what a camera sees, until it ends or Ctrl-C.",
        "edge-runtime run --camera 0",
        "edge-runtime run --camera rtsp://user@192.168.1.9/stream --camera-password-file password --hold 3/5",
        "edge-runtime run --model flowers.tflite --camera clip.mp4 --format jsonl",
        "edge-runtime run --camera synthetic --frames 100",
        "edge-runtime run --camera 0 --on-motion --every 60",
        "edge-runtime run --camera 0 --shadow new.tflite --save-differences differ",
        "edge-runtime run --camera 0 --web",
        "edge-runtime run --camera clip.mp4 --realtime --loop",
        "edge-runtime run --camera 0 --web 0.0.0.0:8080 --web-token-file token --mqtt mqtts://pi@broker.lan/home/door",
        "edge-runtime run --camera 0 --save-uncertain ~/unsure --save-limit-mb 200 --log-file labels.jsonl",
    )
    add_camera_flags(parser)
    add_classifier_flags(parser)
    add_region_flag(parser, "the part that the model was trained on, or else the whole; 0,0,1,1 is the whole")
    add_format_flag(parser)
    add_look_flags(parser)
    parser.add_argument(
        "--changes-only",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="print a label only when it changes",
    )
    parser.add_argument(
        "--realtime",
        action=argparse.BooleanOptionalAction,
        help="play a video file at its own speed, and a folder at one image per second or at --expect-fps "
        "(default: with --web)",
    )
    parser.add_argument(
        "--loop",
        action=argparse.BooleanOptionalAction,
        help="start a video file or a folder again at its end (default: with --web)",
    )
    parser.add_argument(
        "--max-age-ms",
        type=float,
        metavar="MS",
        help="discard older frames (default 500, or one and a half of a slow camera's own intervals)",
    )
    parser.add_argument(
        "--hold", metavar="K/N", help="show a new label only after K of the last N frames agree, such as 3/5"
    )
    parser.add_argument("--frames", type=int, metavar="N", help="stop after N labels")
    parser.add_argument(
        "--give-up-s",
        type=float,
        metavar="S",
        help="end with 69 if the camera gives no first frame within S seconds (default 30; with --web "
        "or --mqtt inf, which means never)",
    )
    add_output_flags(parser)
    add_shadow_flags(parser)
    return parser


def add_look_flags(parser: ArgumentParser) -> None:
    """Adds the flags that say when frames of a live camera are looked at."""
    group = parser.add_argument_group("when to look (live cameras)")
    group.add_argument("--max-fps", type=float, metavar="N", help="look at N frames per second at most (default all)")
    group.add_argument(
        "--on-motion",
        action="store_true",
        help="look only while something moves in the frame, or in its region; the last label stays, with its time",
    )
    group.add_argument(
        "--every",
        type=float,
        metavar="S",
        help="look at one frame every S seconds; with --on-motion, at one in any case",
    )


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    from edge_runtime.system.signals import StopRequest

    stop = StopRequest(is_starting=True)
    stop.install()
    try:
        return _run(arguments, stop)
    except Exception:  # native modules turn a request to end during their import into an error of their own
        if stop.requested and stop.is_starting:
            return 0
        raise


def _run(arguments: list[str], stop: StopRequest) -> int:
    flags = run_parser().parse_args(arguments)

    from edge_runtime.cameras.lock import lock_camera
    from edge_runtime.cameras.opening import open_camera
    from edge_runtime.cameras.password import add_password
    from edge_runtime.cli.run.model import open_run_model
    from edge_runtime.cli.run.named_flags import NamingSink
    from edge_runtime.cli.run.settings import read_settings
    from edge_runtime.live.loop import Loop
    from edge_runtime.outputs.formats import open_sink
    from edge_runtime.outputs.stdout import Outlet

    # A run that waits for its camera without end, as the service does, also waits for disks.
    patient = flags.give_up_s == math.inf
    address = add_password(flags.camera, flags.camera_password_file)
    settings = read_settings(flags, address)
    camera, options, config = settings.camera, settings.options, settings.config
    outlet = Outlet(sys.stdout, camera.live or options.realtime, stop)
    printed = open_sink(flags.format, outlet, sys.stderr, changes_only=flags.changes_only, quiet=flags.quiet)
    with (
        lock_camera(camera),
        open_shadow(
            flags, live=camera.live or options.realtime
        ) as shadow,  # opened first, so that its faults are not blamed on the model in use
        open_run_model(flags) as used,
        open_outputs(flags, NamingSink(printed), outlet, patient=patient, shadow=shadow) as outputs,
        open_camera(
            address,
            choose_smallest_input(flags, used.classifier.input_spec, shadow.candidate.input_spec if shadow else None),
            wait=math.isinf(config.give_up_s),
            options=options,
        ) as source,
    ):
        contract = used.model.contract
        mark = "" if contract.provisional is None else f" ({contract.provisional})"
        say(flags, f"{source.name} -> {contract.spec.name}{mark}; Ctrl-C ends.")

        def between_frames(num_labels: int, num_late: int) -> Classifier | None:
            if outputs.wants_look():
                source.look_again()
            changed = used.between_frames(num_labels, num_late)
            candidate = shadow.candidate.input_spec if shadow else None
            smallest = choose_smallest_input(flags, changed.input_spec, candidate) if changed is not None else None
            if smallest is not None:
                source.shrink_for(smallest)
            return changed

        loop = Loop(
            used.classifier,
            source,
            outputs.sink,
            config,
            between_frames=between_frames,
            observer=outputs.observer,
            shadow=shadow.summary if shadow else lambda: None,
        )
        stop.is_starting = False
        loop.run(stop)
    return 0
