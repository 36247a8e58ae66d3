"""``python -m convert.sign``: makes a key pair, and signs model files with its private key.

The byte layout is in edge_runtime/model/signatures.py. Needs `cryptography` (extra ``[sign]`` of edge-runtime).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from convert.output.atomic import write_atomically
from edge_runtime.cli.verb_parser import VerbParser
from edge_runtime.errors import MissingInputError, OutputError, UsageError
from edge_runtime.model.model_file import read_model
from edge_runtime.model.signatures import make_keys, read_public_key, sign, split_signature
from edge_runtime.system.command import run_command

_EXAMPLES = """examples:
  python -m convert.sign --make-keys keys/maker   # writes keys/maker.key (keep it secret) and keys/maker.pub
  python -m convert.sign build/flowers.tflite --key keys/maker.key
  python -m convert.sign build/flowers.tflite --key keys/maker.key --version 7 --out build/flowers-7.tflite
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, or those of the process, and returns its exit code."""
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    parser = VerbParser(
        prog="python -m convert.sign",
        description="Signs a model file, so that devices that trust the key accept it and no other.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", nargs="?", type=Path, help="the .tflite file; signed in place unless --out is given")
    parser.add_argument("--key", type=Path, metavar="FILE", help="the private key")
    parser.add_argument(
        "--version", type=int, help="must be higher for each newer model (default: the time in seconds since 1970)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write here and leave the model as it is")
    parser.add_argument("--make-keys", type=Path, metavar="NAME", help="write NAME.key and NAME.pub; never overwrites")
    parser.add_argument("--force", action="store_true", help="replace --out if it exists")
    flags = parser.parse_args(arguments)
    if flags.make_keys:
        result = make_key_files(flags.make_keys)
    elif flags.model and flags.key:
        version = int(time.time()) if flags.version is None else flags.version
        result = sign_file(flags.model, flags.key, version, flags.out, force=flags.force)
    else:
        raise UsageError("There is nothing to do: give a model and --key, or --make-keys; see --help.")
    print(json.dumps(result))
    return 0


def make_key_files(name: Path) -> dict[str, object]:
    """Writes NAME.key, readable by its owner only, and NAME.pub.

    Raises:
        UsageError: one of them exists.
        OutputError: they cannot be written.
    """
    private, public = name.with_name(name.name + ".key"), name.with_name(name.name + ".pub")
    for path in (private, public):
        if path.exists():
            raise UsageError(f"{path} exists and a key is never overwritten: devices may trust it. Choose a new name.")
    private_pem, public_pem = make_keys()
    try:
        name.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private_pem)
    except OSError as error:
        raise OutputError(
            f"{private} cannot be written ({error.strerror}); expected a folder that can be written to."
        ) from error
    write_atomically(public, public_pem, force=False)
    return {"v": 1, "type": "keys", "key_id": read_public_key(public).key_id, "files": [str(private), str(public)]}


def sign_file(model: Path, key: Path, version: int, out: Path | None, *, force: bool) -> dict[str, object]:
    """Signs ``model``; what was written, as a JSON object.

    Raises:
        MissingInputError: the model or the key is not there.
        ModelError: the model is damaged or not written by convert.
        DataError: the key or the version is wrong.
        UsageError: ``out`` exists and ``force`` is not set.
    """
    try:
        content, pem = model.read_bytes(), key.read_bytes()
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no {error.filename}; check the path.") from error
    read_model(content, model.name)
    signed = sign(content, pem, version)
    write_atomically(out or model, signed, force=force or out is None)
    _, signature = split_signature(signed, model.name)
    return {
        "v": 1,
        "type": "signed",
        "file": str(out or model),
        "version": version,
        "key_id": signature.key_id if signature else None,
        "sha256": hashlib.sha256(signed).hexdigest(),
    }


if __name__ == "__main__":
    sys.exit(main())
