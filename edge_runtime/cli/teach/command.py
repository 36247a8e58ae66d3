"""``edge-runtime teach``: a provisional model from a few photos per class, made on this device within a minute."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.cli.flags import (
    add_camera_flags,
    add_format_flag,
    add_region_flag,
    add_store_flag,
    print_result,
    read_camera_options,
    read_region_flag,
    say,
    verb_parser,
)
from edge_runtime.system.printable import printable

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from edge_runtime.installed.teach.teaching import Taught

LEAST, MOST = 5, 20


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    from edge_runtime.system.signals import StopRequest

    flags = _parser().parse_args(arguments)

    from edge_runtime.errors import UsageError
    from edge_runtime.installed.teach.backbone import open_backbone
    from edge_runtime.installed.teach.photos import find_photos
    from edge_runtime.installed.teach.teaching import teach
    from edge_runtime.store.store import Store
    from edge_runtime.system.clock import monotonic_s
    from edge_runtime.system.durable import write_durably

    _expect_fitting(flags)
    if flags.out.exists() and not flags.replace:
        raise UsageError(f"{flags.out} already exists; name another file, or add --replace.")
    folder = Path(flags.folder or "photos")
    backbone = open_backbone(flags.backbone, Store(flags.store))
    if flags.camera is not None:
        stop = StopRequest()
        stop.install()
        if not _take_photos(flags, folder, stop):
            say(flags, "Stopped; the photos so far are kept, and count the next time.")
            return 1
    started_s = monotonic_s()
    photos = find_photos(folder)
    tell = _make_teller(is_shown=sys.stderr.isatty() and not flags.quiet)
    taught = teach(
        backbone, photos, flags.name or flags.out.stem, backend=flags.backend, threads=flags.threads, tell=tell
    )
    write_durably(flags.out, taught.content)
    seconds = monotonic_s() - started_s
    _warn_unsigned()
    value = {"v": 1, "type": "taught", "path": str(flags.out), "photos": taught.num_photos}
    value |= {"recognised_when_left_out": taught.num_correct, "seconds": round(seconds, 1), "provisional": True}
    print_result(flags.format, lambda: _summary(taught, flags, folder, seconds), lambda: value)
    return 0


def _parser() -> ArgumentParser:
    parser = verb_parser(
        "teach",
        "Makes a provisional model on this device, within a minute, from 5 to 20 photos per class: takes them with the "
        "camera, or finds them in a folder of class folders. The photos stay, and are the start of a training folder.",
        "edge-runtime teach --camera 0",
        "edge-runtime teach --camera csi --labels mug,pen,nothing --photos 15 --out desk.tflite",
        "edge-runtime teach photos --out desk.tflite",
        "edge-runtime teach photos --backbone teach-backbone.tflite",
    )
    parser.add_argument("folder", nargs="?", metavar="DIR", help="a folder of class folders (default photos)")
    add_camera_flags(parser, default=None)
    parser.add_argument(
        "--labels", metavar="A,B,C", help="the classes to take photos of (default: their names are asked for)"
    )
    parser.add_argument(
        "--photos", type=int, default=10, metavar="N", help=f"photos per class, {LEAST} to {MOST} (default 10)"
    )
    parser.add_argument("--every", type=float, default=1.0, metavar="S", help="seconds between photos (default 1)")
    parser.add_argument(
        "--pause", type=float, metavar="S", help="begin each class after S seconds (default: when Enter is pressed)"
    )
    add_region_flag(parser, "the whole")
    parser.add_argument("--out", type=Path, default=Path("taught.tflite"), metavar="FILE", help="the model to write")
    parser.add_argument("--replace", action="store_true", help="replace the model if it exists")
    parser.add_argument("--name", help="what to call the model (default: its file name)")
    parser.add_argument(
        "--backbone", type=Path, metavar="FILE", help="what it stands on (default: the one of install --as-backbone)"
    )
    parser.add_argument("--backend", choices=("auto", "litert", "tflite"), default="auto", help="what runs the model")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of the backend (default 1)")
    add_store_flag(parser)
    add_format_flag(parser)
    return parser


def _expect_fitting(flags: Namespace) -> None:
    from edge_runtime.errors import UsageError

    if not LEAST <= flags.photos <= MOST:
        raise UsageError(f"--photos is {flags.photos}, expected {LEAST} to {MOST} a class.")
    if flags.pause is not None and not 0 <= flags.pause < 3600:
        raise UsageError(f"--pause is {flags.pause:g}, expected seconds of at least 0.")
    if flags.camera is None and flags.labels is not None:
        raise UsageError("--labels needs --camera, which is missing; add it, or leave the flag out.")


def _take_photos(flags: Namespace, folder: Path, stop: Callable[[], bool]) -> bool:
    """Takes the photos of each class; False when it was stopped before the end."""
    from edge_runtime.cameras.address import parse_camera
    from edge_runtime.cameras.lock import lock_camera
    from edge_runtime.cameras.opening import open_camera
    from edge_runtime.cameras.password import add_password
    from edge_runtime.cli.teach.prompts import Prompter
    from edge_runtime.live.collect import CollectConfig

    options = read_camera_options(flags)
    config = CollectConfig(
        folder,
        "none",
        every_s=flags.every,
        give_up_s=options.choose_patience_s(30.0),
        region=read_region_flag(flags),
    )
    address = add_password(flags.camera, flags.camera_password_file)
    labels = None if flags.labels is None else tuple(label.strip() for label in flags.labels.split(","))
    with lock_camera(parse_camera(address)), open_camera(address, options=options) as source:
        return Prompter(source, config, flags.photos, flags.pause, stop, partial(say, flags)).take_all(labels)


def _make_teller(*, is_shown: bool) -> Callable[[int, int], None]:
    def tell(done: int, total: int) -> None:
        if is_shown:
            print(f"\rlooking at photo {done} of {total}", end="\n" if done == total else "", file=sys.stderr)

    return tell


def _warn_unsigned() -> None:
    from edge_runtime.model.signatures import list_trusted_keys

    if list_trusted_keys():
        print(
            "edge-runtime: this device runs only models signed with a key that it trusts, and a taught one is signed "
            "by nobody: sign it on the workstation (python -m convert.sign) before it is installed.",
            file=sys.stderr,
        )


def _name_camera(camera: str | None) -> str:
    """The camera for a command line: 0 where none was used, and ADDRESS instead of a network address, which may hold a
    password.
    """
    from shlex import quote

    if camera is None:
        return "0"
    return "ADDRESS" if "://" in camera else quote(camera.strip())


def _summary(taught: Taught, flags: Namespace, folder: Path, seconds: float) -> str:
    from shlex import quote

    out = flags.out
    rows = [
        f"  {label}: {taught.num_correct[label]} of {num} taught photos recognised when left out"
        for label, num in taught.num_photos.items()
    ]
    total = sum(taught.num_photos.values())
    return printable(
        f"{out}: {len(rows)} classes from {total} photos in {seconds:.1f} s; "
        f"{sum(taught.num_correct.values())} of {total} taught photos recognised when left out.\n"
        + "\n".join(rows)
        + "\nThe model is provisional: it was tried on no other photos. "
        f"Look at it: edge-runtime run --model {quote(str(out))} --camera {_name_camera(flags.camera)}\n"
        f"The photos stay in {folder}; more of them, and a workstation, make a better one: make convert "
        f"DATA={quote(str(folder))}"
    )
