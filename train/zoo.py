"""Trains one of the models that the package ships again, from the complete CIFAR-10: `ZOO` is the one place of what
they are trained with.

Usage: python -m train.zoo NAME. Stopped or killed, the same command goes on after the last finished epoch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from train.__main__ import main as train_main


@dataclass(frozen=True)
class ZooModel:
    """How the model of a zoo file was trained; its name is the architecture's. ``changes`` are flags of
    `python -m train` for what differs from the recipe.
    """

    recipe: str
    epochs: int
    changes: tuple[str, ...] = ()
    seed: int = 0


ZOO = {
    "micro": ZooModel("modern", 45),
    "resnet8": ZooModel("modern", 120),
}


def flags_of(name: str, out: Path, data_path: Path | None = None) -> list[str]:
    """The command line of `python -m train` that trains the zoo's ``name`` into ``out``, or goes on with it."""
    model = ZOO[name]
    flags = ["--data", "cifar10", "--model", name, "--name", name, "--recipe", model.recipe]
    flags += ["--epochs", str(model.epochs), "--seed", str(model.seed), "--out", str(out), "--resume"]
    flags += model.changes
    return flags if data_path is None else [*flags, "--data-path", str(data_path)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code is that of `python -m train`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.zoo",
        description="Trains a model of the zoo again, from the complete CIFAR-10; goes on after an interruption.",
        epilog="example: python -m train.zoo micro --out runs/zoo-micro",
    )
    parser.add_argument("name", choices=tuple(ZOO))
    parser.add_argument("--out", type=Path, help="run directory to write (default: runs/zoo-NAME)")
    parser.add_argument("--data-path", type=Path, help="where cifar10 lies (default: found, else fetched)")
    options = parser.parse_args(arguments)
    out = options.out or Path("runs") / f"zoo-{options.name}"
    return train_main(flags_of(options.name, out, options.data_path))


if __name__ == "__main__":
    sys.exit(main())
