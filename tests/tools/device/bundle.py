"""``python -m tests.tools.device.bundle``: all that a device needs, in one archive, for one without internet. ``make bundle``.

    python -m tests.tools.device.bundle --row bookworm-arm64-litert --model build/mine.tflite
    scp dist/edge-runtime-bookworm-arm64-litert.tar pi@raspberrypi:
    (there) tar xf edge-runtime-*.tar && sudo edge-runtime-*/install.sh

The same pins, wheel and model give the same bytes.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import io
import json
import sys
import tarfile
import tempfile
from pathlib import Path

from edge_runtime.errors import MissingInputError
from edge_runtime.system.command import run_command
from requirements import sbom
from tests.tools.device.pins import ROOT, build_wheel, pinned_lines, pip_for
from tests.tools.device.rows import PC, ROWS, Row, row_named

INSTALL = Path(__file__).with_name("install.sh")
# What `--web`, its metrics and `--mqtt` need, with what that needs itself: Python only, under one megabyte.
PURE_EXTRAS = (
    "anyio",
    "click",
    "h11",
    "idna",
    "paho-mqtt",
    "prometheus-client",
    "starlette",
    "typing-extensions",
    "uvicorn",
)


def main() -> int:
    """Writes the archive, and says so in one line of JSON."""
    return run_command(_make)


def _make() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.device.bundle",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ", ".join(row.name for row in (*ROWS, PC))
    parser.add_argument("--row", default=ROWS[0].name, help=f"the device: {names} (default {ROWS[0].name})")
    parser.add_argument("--model", type=Path, help="a .tflite file to install too")
    parser.add_argument("--key", type=Path, help="a public key to trust")
    parser.add_argument("--out", type=Path, help="default: dist/edge-runtime-ROW.tar")
    flags = parser.parse_args()
    row = row_named(flags.row, (*ROWS, PC))
    for path, what, example in (
        (flags.model, "model", "MODEL_FILE=build/mine.tflite"),
        (flags.key, "public key", "KEY=keys/maker.pub"),
    ):
        if path is not None and not path.is_file():
            raise MissingInputError(f"There is no {what} {path}; name the file, as in {example}.")
    out = flags.out or ROOT / "dist" / f"edge-runtime-{row.name}.tar"
    with tempfile.TemporaryDirectory(prefix="bundle-") as folder:
        release = make_bundle(row, flags.model, flags.key, out, Path(folder))
    value = {
        "v": 1,
        "type": "bundle",
        "row": row.name,
        "release": release,
        "file": str(out),
        "bytes": out.stat().st_size,
    }
    print(json.dumps(value))
    return 0


def make_bundle(row: Row, model: Path | None, key: Path | None, out: Path, work: Path) -> str:
    """Writes ``out``; the release's name, a digest of all that gets installed."""
    wheels = work / "wheels"
    wheels.mkdir()
    pins = bundle_pins(row)
    pip_for(row, "download", ["--dest", wheels], pins, work)
    own = build_wheel(wheels)
    lines = [*pins, f"edge-runtime=={own.name.split('-')[1]} --hash=sha256:{digest(own.read_bytes())}"]
    requirements = ("\n".join(lines) + "\n").encode()
    release = digest(requirements)[:12]
    facts = {"v": 1, "row": row.name, "python": row.python, "machine": row.machine, "release": release}
    members = {f"wheels/{path.name}": path.read_bytes() for path in sorted(wheels.iterdir())}
    members |= {"requirements.txt": requirements, "bundle.json": (json.dumps(facts) + "\n").encode()}
    members["install.sh"] = INSTALL.read_bytes()
    members["sbom.cdx.json"] = describe_bundle(sorted(wheels.iterdir()), own, model)
    if model is not None:
        members["model.tflite"] = model.read_bytes()
    if key is not None:
        members["trusted.pub"] = key.read_bytes()
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_suffix(".unfinished")
    with tarfile.open(unfinished, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"edge-runtime-{row.name}/{name}")
            entry.size, entry.mode = len(content), 0o755 if name.endswith(".sh") else 0o644
            archive.addfile(entry, io.BytesIO(content))
    unfinished.rename(out)
    return release


def describe_bundle(wheels: list[Path], own: Path, model: Path | None) -> bytes:
    """The bill of materials of the bundle: each wheel by its hash, and the model."""
    named = [(path, path.name.split("-")) for path in wheels if path != own]
    components = [sbom.package(name, version, path.read_bytes()) for path, (name, version, *_) in named]
    components.append(sbom.package(sbom.NAME, own.name.split("-")[1], own.read_bytes()) | {"bom-ref": own.name})
    if model is not None:
        components.append(sbom.model(model.name, model.read_bytes()))
    return sbom.make_bom(own.name.split("-")[1], components)


def bundle_pins(row: Row) -> list[str]:
    """The row's pins, those of the extras, signatures' library where it has a wheel, and pip, which Debian's Python may
    lack.
    """
    found = {name_of(line): line for line in pinned_lines(_requirements(row.requirements), row)}
    more = [("pip.txt", ("pip",)), ("test.txt", PURE_EXTRAS)]
    if not row.only:
        more.append(("sign.txt", ()))
    for file, only in more:
        for line in pinned_lines(_requirements(file), dataclasses.replace(row, only=only)):
            found.setdefault(name_of(line), line)
    return sorted(found.values())


def name_of(line: str) -> str:
    """The package that a pinned line names."""
    return line.split("==")[0]


def _requirements(file: str) -> str:
    return (ROOT / "requirements" / file).read_text(encoding="utf-8")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
