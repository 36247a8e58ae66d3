"""``edge-runtime collect``: fills a class's folder with images from the device's camera."""

from __future__ import annotations

import dataclasses
import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.cli.flag_names import name_flags
from edge_runtime.cli.flags import (
    add_camera_flags,
    add_format_flag,
    add_region_flag,
    print_result,
    read_camera_options,
    read_region_flag,
    say,
    verb_parser,
)

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from edge_runtime.live.collect import CollectConfig, Kept

BACKGROUND = "background"  # the folder beside the classes that training treats as the empty scene


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    from edge_runtime.system.signals import StopRequest

    stop = StopRequest()
    stop.install()
    flags = _make_parser().parse_args(arguments)

    from edge_runtime.cameras.address import parse_camera
    from edge_runtime.cameras.lock import lock_camera
    from edge_runtime.cameras.opening import open_camera
    from edge_runtime.cameras.password import add_password
    from edge_runtime.live.collect import Collector, collect

    options = read_camera_options(flags)
    collector = Collector(_configure(flags, options.choose_patience_s(30.0)))
    enter = _Enter()
    address = add_password(flags.camera, flags.camera_password_file)
    with lock_camera(parse_camera(address)), open_camera(address, options=options) as source:
        how = "Enter takes an image" if flags.on_enter else f"an image every {flags.every:g} s"
        say(flags, f"{source.name} -> {collector.folder}; {how}, Ctrl-C ends.")
        teller = _Teller(flags)
        summary = collect(collector, source, teller, enter.is_pressed, lambda: stop() or enter.ended)
    summary = dataclasses.replace(summary, reason=name_flags(summary.reason))
    print_result(
        flags.format,
        lambda: f"{summary.num_kept} kept, {summary.num_blurred} blurred, {summary.num_alike} alike; {summary.reason}",
        lambda: {"v": 1, "type": "summary", **dataclasses.asdict(summary)},
    )
    return 0


def _make_parser() -> ArgumentParser:
    parser = verb_parser(
        "collect",
        "Saves training images of one class from a camera; blurred frames and repetitions are left out.",
        "edge-runtime collect --label mug --camera 0 --every 0.5 --count 200",
        "edge-runtime collect --background --camera 0 --every 10 --count 50",
        "edge-runtime collect --label mug --on-enter",
        "edge-runtime collect --label open --region 0.4,0.2,0.3,0.5",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--label", metavar="NAME", help="the class; images go to DIR/NAME")
    what.add_argument(
        "--background",
        action="store_true",
        help="the empty scene instead of a class: what the camera sees when nothing is there, into DIR/background",
    )
    add_camera_flags(parser)
    parser.add_argument("--out", default="photos", metavar="DIR", help="the folder of classes (default photos)")
    parser.add_argument("--every", type=float, default=1.0, metavar="S", help="seconds between images (default 1)")
    parser.add_argument("--on-enter", action="store_true", help="take an image each time Enter is pressed instead")
    parser.add_argument("--count", type=int, metavar="N", help="stop after N images")
    parser.add_argument(
        "--max-mb", type=float, default=500.0, metavar="MB", help="size limit of DIR/NAME (default 500)"
    )
    parser.add_argument(
        "--min-sharpness",
        type=float,
        metavar="X",
        help="0 keeps blurred images (default 20; 0 for --background, since an empty wall has no edges)",
    )
    parser.add_argument(
        "--min-change",
        type=float,
        metavar="X",
        help="0 keeps repetitions (default 4; 1 for --background, which changes with the light alone)",
    )
    add_region_flag(parser, "the whole")
    add_format_flag(parser)
    return parser


def _configure(flags: Namespace, give_up_s: float) -> CollectConfig:
    from edge_runtime.live.collect import CollectConfig

    return CollectConfig(
        folder=Path(flags.out),
        label=BACKGROUND if flags.background else flags.label,
        give_up_s=give_up_s,
        every_s=None if flags.on_enter else flags.every,
        max_images=flags.count,
        max_mb=flags.max_mb,
        min_sharpness=_given(flags.min_sharpness, 0.0 if flags.background else 20.0),
        min_change=_given(flags.min_change, 1.0 if flags.background else 4.0),
        region=read_region_flag(flags),
    )


class _Teller:
    """Prints kept images to stdout and refusals to stderr, a repeated refusal only once."""

    def __init__(self, flags: Namespace) -> None:
        self.flags, self.last = flags, ""

    def __call__(self, told: Kept | str) -> None:
        if isinstance(told, str):
            kind = told.split(":")[0]
            if kind != self.last:
                say(self.flags, f"edge-runtime: left out, {name_flags(told)}")
            self.last = kind
            return
        self.last = ""
        value = {"v": 1, "type": "image", "file": str(told.file), "sharpness": round(told.sharpness, 1)}
        print_result(self.flags.format, lambda: str(told.file), lambda: value)


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


class _Enter:
    """Whether Enter was pressed since the last call; ``ended`` when nothing more can come from stdin."""

    def __init__(self) -> None:
        self.ended = False

    def is_pressed(self) -> bool:
        if not select.select([sys.stdin], [], [], 0)[0]:
            return False
        self.ended = not os.read(sys.stdin.fileno(), 4096)
        return not self.ended
