"""Writes a network that has learnt nothing yet, so that its time can be measured before anything is spent on training:
`python -m train.models NAME --size 32 --classes 10 --out x.keras`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.contract import InputSpec
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.system.quiet_start import quiet_start
from train.models import build_model


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code."""
    flags = argparse.ArgumentParser(
        prog="python -m train.models",
        description="Writes an untrained network.",
        epilog="example: python -m train.models scaled-plain-w32-d1-s2 --size 32 --classes 10 --out x.keras",
    )
    flags.add_argument("name", metavar="NAME", help="as --model of python -m train")
    flags.add_argument("--size", type=int, required=True, help="side of the square input in pixels")
    flags.add_argument("--classes", type=int, required=True)
    flags.add_argument("--out", type=Path, required=True, help="the .keras file")
    options = flags.parse_args(arguments)
    try:
        with quiet_start():
            importlib.import_module("tensorflow")
        spec = InputSpec(options.size, options.size)
        build_model(options.name, spec, options.classes).save(options.out)
    except EdgeRuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
