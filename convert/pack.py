"""Rewrites a .tflite file smaller without changing what it computes: equal parts once, fields that nothing reads left
out.

Same operators, same tensors, same weights, in the same order. Never trusts itself: the packed model is read back and
compared part by part, and both run on every backend that is installed. Usage: python -m convert.pack IN OUT
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from convert.output.atomic import refuse_to_overwrite, write_atomically
from convert.tflite.attached_zip import split_attached
from convert.tflite.packing import compare_outputs, open_interpreters, pack, shorten_name
from edge_runtime.cli.verb_parser import VerbParser
from edge_runtime.errors import MissingInputError, ModelError
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.model.model_file import read_model, write_model
from edge_runtime.system.command import run_command


@dataclass(frozen=True)
class PackReport:
    """Flatbuffer sizes in bytes; ``backends`` are those on which outputs were equal to the byte."""

    bytes_before: int
    bytes_after: int
    backends: tuple[str, ...]

    @property
    def saved(self) -> float:
        """The part of the flatbuffer that was saved, in [0, 1]."""
        return 1 - self.bytes_after / self.bytes_before


def pack_file(content: bytes, name: str, *, short_names: bool = False) -> tuple[bytes, PackReport]:
    """A packed copy of a .tflite file with all that is appended to it; its outputs were compared on every backend
    here.

    Raises:
        ModelError: it is no .tflite file, or the packed model differs.
    """
    flatbuffer, attach = _parts(content, name)
    packed = pack(flatbuffer, shorten_name if short_names else None)
    differing = compare_outputs(open_interpreters(flatbuffer), open_interpreters(packed))
    if differing:
        raise ModelError(f"{name} gives other outputs on {', '.join(differing)} when packed; keep the file as it is.")
    return attach(packed), PackReport(len(flatbuffer), len(packed), list_available_backends())


def _parts(content: bytes, name: str) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The flatbuffer of a file, and what makes a file of another flatbuffer with the same things appended."""
    if b"contract.json" in content:
        model = read_model(content, name)
        return model.flatbuffer, lambda packed: write_model(packed, model.contract, model.goldens)
    return split_attached(content, name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, or those of the process; the exit code. Raises nothing on purpose."""
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    parser = VerbParser(
        prog="python -m convert.pack",
        description="Writes a smaller .tflite file that computes the same to the byte.",
        epilog="example: python -m convert.pack model.tflite smaller.tflite",
    )
    parser.add_argument("model", metavar="IN", type=Path, help="any .tflite file")
    parser.add_argument("out", metavar="OUT", type=Path, help="the file to write")
    parser.add_argument("--short-names", action="store_true", help="keep only the layer's part of each tensor name")
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    parser.add_argument("--json", action="store_true", help="print the result as one line of JSON")
    options = parser.parse_args(arguments)
    if not options.model.is_file():
        raise MissingInputError(f"There is no model {options.model}; check the path.")
    refuse_to_overwrite(options.out, force=options.force)
    content, report = pack_file(options.model.read_bytes(), options.model.name, short_names=options.short_names)
    write_atomically(options.out, content, force=options.force)
    if options.json:
        print(json.dumps({"out": str(options.out), **asdict(report), "saved": report.saved}))
    else:
        print(
            f"{options.out}: {report.bytes_before:,} -> {report.bytes_after:,} bytes, {report.saved:.1%} smaller; "
            f"outputs equal to the byte on {', '.join(report.backends)}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
