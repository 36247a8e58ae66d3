"""The flags that describe a `.keras` file not made by `train`: the same for every command that takes one."""

from __future__ import annotations

import argparse
from pathlib import Path

from convert.config import ForeignModel
from edge_runtime.contract import RESIZE_MODES, Normalization
from edge_runtime.errors import UsageError
from edge_runtime.model.stated_input import parse_normalization

_DEFAULTS = {"test": None, "validation": None, "resize": "stretch", "mean": (0.0,), "std": (1.0,), "channels": "rgb"}


def add_foreign_flags(parser: argparse.ArgumentParser) -> None:
    """Adds a group with --labels, --calibration and the other flags that only a `.keras` file needs."""
    group = parser.add_argument_group("for a .keras file")
    group.add_argument("--labels", type=Path, metavar="FILE", help="one label per line, in output order")
    group.add_argument(
        "--calibration", type=Path, metavar="DIR", help="training images, flat or one directory per class"
    )
    group.add_argument("--test", type=Path, metavar="DIR", help="held-out images, one directory per class")
    group.add_argument(
        "--validation",
        type=Path,
        metavar="DIR",
        help="images to fit the threshold for unknown on, one directory per class; not those of --test",
    )
    group.add_argument(
        "--resize",
        choices=RESIZE_MODES,
        default="stretch",
        help="how images are fitted to the input (default: stretch)",
    )
    group.add_argument(
        "--normalize",
        type=_normalization,
        metavar="FORM",
        help="the pixel values that the model expects, written as on the device: 0..1, -1..1, 0..255, imagenet, or "
        "MEAN,STD; replaces --mean and --std",
    )
    group.add_argument(
        "--mean",
        type=_numbers,
        default=(0.0,),
        metavar="M",
        help="the model takes (pixel - M) / S of pixels 0..255: one number, or R,G,B (default: 0)",
    )
    group.add_argument(
        "--std",
        type=_numbers,
        default=(1.0,),
        metavar="S",
        help="see --mean: one number, or R,G,B (default: 1: the model normalises inside)",
    )
    group.add_argument(
        "--channels", choices=("rgb", "bgr"), default="rgb", help="the order of the model's channels (default: rgb)"
    )


def read_foreign_flags(options: argparse.Namespace) -> ForeignModel | None:
    """The `.keras` file that the flags describe; None for a run directory, which needs none of them.

    Raises:
        UsageError: --labels or --calibration is missing where the other, or any of the rest, is given; or two flags
            say the same.
    """
    given = {name: getattr(options, name) for name in _DEFAULTS}
    if options.normalize is not None:
        if (given["mean"], given["std"]) != (_DEFAULTS["mean"], _DEFAULTS["std"]):
            raise UsageError("--normalize says the same as --mean and --std; give either it or those two.")
        given |= {"mean": options.normalize.mean, "std": options.normalize.std}
    if options.labels or options.calibration:
        if not (options.labels and options.calibration):
            raise UsageError("A .keras file needs both --labels FILE and --calibration DIR; one of them is missing.")
        return ForeignModel(options.labels, options.calibration, **given)
    if given != _DEFAULTS or options.normalize is not None:
        names = ", ".join(f"--{name}" for name in ("normalize", *_DEFAULTS))
        raise UsageError(f"{names} describe a .keras file, which also needs --labels and --calibration.")
    return None


def to_flags(foreign: ForeignModel) -> list[str]:
    """The flags from which `read_foreign_flags` reads ``foreign`` again."""
    flags = ["--labels", str(foreign.labels), "--calibration", str(foreign.calibration)]
    for name, default in _DEFAULTS.items():
        value = getattr(foreign, name)
        if value != default:
            flags += [f"--{name}", ",".join(f"{part:g}" for part in value) if isinstance(value, tuple) else str(value)]
    return flags


def _normalization(text: str) -> Normalization:
    """\"-1..1\" and the like. Raises ArgumentTypeError."""
    try:
        return parse_normalization(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error).replace("`normalize`", "it")) from error


def _numbers(text: str) -> tuple[float, ...]:
    """\"127.5\" or \"123.68,116.78,103.94\" as numbers. Raises ArgumentTypeError."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor three numbers R,G,B") from error
