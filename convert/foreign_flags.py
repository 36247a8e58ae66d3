"""The flags that describe a `.keras` file that `train` did not make: the same for each command that takes one."""

from __future__ import annotations

import argparse
from pathlib import Path

from convert.config import ForeignModel
from edge_runtime.contract import RESIZE_MODES, Normalization
from edge_runtime.errors import UsageError
from edge_runtime.model.stated_input import parse_normalization

_DEFAULTS = {"test": None, "validation": None, "resize": "stretch", "mean": (0.0,), "std": (1.0,), "channels": "rgb"}


def add_foreign_flags(parser: argparse.ArgumentParser) -> None:
    """Adds a group with --labels, --calibration and what else only a `.keras` file needs."""
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
        help="images to fit unknown on, one directory per class, not the test's",
    )
    group.add_argument("--resize", choices=RESIZE_MODES, default="stretch", help="how images get the input's size")
    group.add_argument(
        "--normalize",
        type=_normalization,
        metavar="FORM",
        help="what pixels become, spelled as on the device: 0..1, -1..1, 0..255, imagenet, or MEAN,STD; the same as "
        "--mean and --std",
    )
    group.add_argument(
        "--mean",
        type=_numbers,
        default=(0.0,),
        metavar="M",
        help="the model takes (pixel - M) / S of pixels 0..255: one number, or R,G,B (default: 0)",
    )
    group.add_argument(
        "--std", type=_numbers, default=(1.0,), metavar="S", help="(default: 1: the model normalises inside)"
    )
    group.add_argument("--channels", choices=("rgb", "bgr"), default="rgb", help="the model's order (default: rgb)")


def read_foreign_flags(options: argparse.Namespace) -> ForeignModel | None:
    """What the flags say of a `.keras` file; None for a run directory, which needs none of them.

    Raises:
        UsageError: one of two that are needed together is missing, the others are given without them, or two say the
            same.
    """
    given = {name: getattr(options, name) for name in _DEFAULTS}
    if options.normalize is not None:
        if (given["mean"], given["std"]) != (_DEFAULTS["mean"], _DEFAULTS["std"]):
            raise UsageError("--normalize says what --mean and --std say; give it, or these two.")
        given |= {"mean": options.normalize.mean, "std": options.normalize.std}
    if options.labels or options.calibration:
        if not (options.labels and options.calibration):
            raise UsageError("A .keras file needs both --labels FILE and --calibration DIR; one of them is missing.")
        return ForeignModel(options.labels, options.calibration, **given)
    if given != _DEFAULTS or options.normalize is not None:
        names = ", ".join(f"--{name}" for name in ("normalize", *_DEFAULTS))
        raise UsageError(f"{names} describe a .keras file, with --labels and --calibration.")
    return None


def to_flags(foreign: ForeignModel) -> list[str]:
    """The flags that `read_foreign_flags` reads ``foreign`` from."""
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
        raise argparse.ArgumentTypeError(f"{text!r} is no number and no three numbers R,G,B") from error
