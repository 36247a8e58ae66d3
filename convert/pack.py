"""Makes a .tflite file smaller without changing what it computes: stores equal parts once, leaves out unread fields.

Operators, tensors and weights stay the same, in the same order. To make sure, the packed model is read back and
compared part by part, and both models run on every installed backend. Usage: python -m convert.pack IN OUT
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
    """Flatbuffer sizes in bytes; ``backends`` are those on which the outputs were identical."""

    bytes_before: int
    bytes_after: int
    backends: tuple[str, ...]

    @property
    def saved(self) -> float:
        """The share of the flatbuffer that was saved, in [0, 1]."""
        return 1 - self.bytes_after / self.bytes_before


def pack_file(content: bytes, name: str, *, short_names: bool = False) -> tuple[bytes, PackReport]:
    """A packed copy of a .tflite file with all that is appended to it, its outputs compared on every installed backend.

    Raises:
        ModelError: it is not a .tflite file, or the packed model differs.
    """
    flatbuffer, attach = _parts(content, name)
    packed = pack(flatbuffer, shorten_name if short_names else None)
    differing = compare_outputs(open_interpreters(flatbuffer), open_interpreters(packed))
    if differing:
        raise ModelError(
            f"{name} gives different outputs on {', '.join(differing)} when packed; keep the file as it is."
        )
    return attach(packed), PackReport(len(flatbuffer), len(packed), list_available_backends())


def _parts(content: bytes, name: str) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The flatbuffer of a file, and a function that appends everything else in the file to another flatbuffer."""
    if b"contract.json" in content:
        model = read_model(content, name)
        return model.flatbuffer, lambda packed: write_model(packed, model.contract, model.goldens)
    return split_attached(content, name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, or those of the process, and returns its exit code."""
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    parser = VerbParser(
        prog="python -m convert.pack",
        description="Writes a smaller .tflite file whose outputs are identical, byte for byte.",
        epilog="example: python -m convert.pack model.tflite smaller.tflite",
    )
    parser.add_argument("model", metavar="IN", type=Path, help="any .tflite file")
    parser.add_argument("out", metavar="OUT", type=Path, help="the file to write")
    parser.add_argument("--short-names", action="store_true", help="shorten each tensor name to that of its layer")
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
            f"outputs identical on {', '.join(report.backends)}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
