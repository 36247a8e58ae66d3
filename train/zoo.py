"""Retrains one of the models that the package ships on the complete CIFAR-10: `ZOO` is the only place that says how
they are trained.

Usage: python -m train.zoo NAME. If it was stopped or killed, the same command continues after the last finished epoch.
A model's teacher, and the model it starts from, are trained first unless they already exist beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.cli.verb_parser import VerbParser, add_quiet_flag
from edge_runtime.system.command import run_command
from train.__main__ import main as train_main


@dataclass(frozen=True)
class ZooModel:
    """How a model was trained. ``changes`` are the values that differ from the recipe's, ``teacher`` is the entry of
    `ZOO` that it also learnt from, ``start`` the one whose weights it started from; ``model`` is the architecture if
    its name differs from the entry's.
    """

    recipe: str
    epochs: int
    changes: Mapping[str, int | float | str] = field(default_factory=dict)
    teacher: str | None = None
    seed: int = 0
    model: str | None = None
    start: str | None = None


# A finished network trains on with half of its images in other light; a larger one labels the clean ones.
LIGHT = {"learning_rate": 0.05, "light": 0.5, "views": 4, "averaged": 0.5}
# The package ships those named after their architecture; the others are teachers, or starting points.
ZOO = {
    "micro": ZooModel("modern", 100, teacher="small-teacher"),
    "resnet8": ZooModel("modern", 120),
    "small": ZooModel(
        "modern", 90, {"weight_decay": 5e-3, "cutout": 8, "precision": "bfloat16"}, teacher="small-teacher"
    ),
    "small-teacher": ZooModel("modern", 36, {"label_smoothing": 0.1, "cutout": 8}, model="small"),
    "micro-light": ZooModel("modern", 10, LIGHT, teacher="small", model="micro", start="micro"),
    "resnet8-light": ZooModel("modern", 20, LIGHT, teacher="small", model="resnet8", start="resnet8"),
    "small-light": ZooModel(
        "modern", 10, {**LIGHT, "weight_decay": 5e-3, "cutout": 8}, teacher="small", model="small", start="small"
    ),
}


def list_flags_of(name: str, out: Path, data_path: Path | None = None, *, quiet: bool = False) -> list[str]:
    """The command line of `python -m train` that trains the zoo's ``name`` into ``out``, or continues it."""
    model = ZOO[name]
    architecture = model.model or name
    flags = ["--data", "cifar10", "--model", architecture, "--name", architecture, "--recipe", model.recipe]
    flags += ["--epochs", str(model.epochs), "--seed", str(model.seed), "--out", str(out), "--resume"]
    for key, value in model.changes.items():
        flags += [f"--{key.replace('_', '-')}", str(value)]
    for flag, earlier in (("--teacher", model.teacher), ("--start", model.start)):
        if earlier is not None:
            flags += [flag, str(find_run_of(earlier, out))]
    flags += [] if data_path is None else ["--data-path", str(data_path)]
    return [*flags, "--quiet"] if quiet else flags


def find_run_of(earlier: str, out: Path) -> Path:
    """Where the run of ``earlier`` is when the model that needs it is trained into ``out``: beside it."""
    return out.with_name(f"zoo-{earlier}")


def train_with_earlier(name: str, out: Path, data_path: Path | None, *, quiet: bool = False) -> int:
    """Trains what the zoo's ``name`` needs and does not find, then ``name`` itself; returns the last exit code.

    It ends with the first training run that fails.
    """
    for earlier in (ZOO[name].teacher, ZOO[name].start):
        if earlier is not None and not out.exists():
            exit_code = train_with_earlier(earlier, find_run_of(earlier, out), data_path, quiet=quiet)
            if exit_code:
                return exit_code
    return train_main(list_flags_of(name, out, data_path, quiet=quiet))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code is that of `python -m train`."""
    parser = VerbParser(
        prog="python -m train.zoo",
        description="Retrains a model of the zoo on the complete CIFAR-10; continues after an interruption.",
        epilog="example: python -m train.zoo micro --out runs/zoo-micro",
    )
    parser.add_argument("name", choices=tuple(ZOO), help="the model of the zoo")
    parser.add_argument("--out", type=Path, help="run directory to write (default: runs/zoo-NAME)")
    parser.add_argument("--data-path", type=Path, help="where cifar10 lies (default: found, else fetched)")
    add_quiet_flag(parser)

    def run() -> int:
        options = parser.parse_args(arguments)
        out = options.out or Path("runs") / f"zoo-{options.name}"
        return train_with_earlier(options.name, out, options.data_path, quiet=options.quiet)

    return run_command(run)


if __name__ == "__main__":
    sys.exit(main())
