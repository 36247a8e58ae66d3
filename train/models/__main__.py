"""Writes an untrained network, so that its time can be measured before any time is spent on training:
`python -m train.models NAME --size 32 --classes 10 --out x.keras`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.cli.verb_parser import VerbParser
from edge_runtime.contract import InputSpec
from edge_runtime.system.command import run_command
from edge_runtime.system.quiet_start import quiet_start
from train.models import build_model


def write_untrained(name: str, size: int, num_classes: int, out: Path) -> None:
    """Writes the network ``name`` for (size, size, 3) inputs as a .keras file.

    Raises:
        UsageError: there is no such architecture, or the input is too small for it.
    """
    with quiet_start():
        importlib.import_module("tensorflow")
    build_model(name, InputSpec(size, size), num_classes).save(out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code."""
    flags = VerbParser(
        prog="python -m train.models",
        description="Writes an untrained network.",
        epilog="example: python -m train.models scaled-plain-w32-d1-s2 --size 32 --classes 10 --out x.keras",
    )
    flags.add_argument("name", metavar="NAME", help="as --model of python -m train")
    flags.add_argument("--size", type=int, required=True, help="side of the square input in pixels")
    flags.add_argument("--classes", type=int, required=True, help="how many classes")
    flags.add_argument("--out", type=Path, required=True, help="the .keras file")

    def run() -> None:
        options = flags.parse_args(arguments)
        write_untrained(options.name, options.size, options.classes, options.out)

    return run_command(run)


if __name__ == "__main__":
    sys.exit(main())
