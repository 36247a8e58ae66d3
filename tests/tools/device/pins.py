"""The pinned packages of a row: the hashed requirement file as its device would read it.

pip judges ``; python_version ...`` by the Python it runs in, not by the one it downloads for, so it is done here.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement

from tests.tools.device.rows import Row

ROOT = Path(__file__).parents[3]


def pinned_lines(text: str, row: Row) -> list[str]:
    """The requirements of ``text`` that hold on ``row``, each with its hashes and without its condition, sorted."""
    environment = {
        "python_version": row.python,
        "python_full_version": f"{row.python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": row.machine,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    found = []
    for block in re.split(r"\n(?=\S)", text.replace("\\\n", " ").strip()):
        specifier, *hashes = re.split(r"\s+--hash=", block.strip())
        requirement = Requirement(specifier)
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        if row.only and requirement.name not in row.only:
            continue
        found.append(" ".join([f"{requirement.name}{requirement.specifier}", *(f"--hash={text}" for text in hashes)]))
    return sorted(found)


def row_pins(row: Row) -> list[str]:
    """`pinned_lines` of the row's own requirement file."""
    return pinned_lines((ROOT / "requirements" / row.requirements).read_text(encoding="utf-8"), row)


def pip_for(row: Row, verb: str, arguments: Iterable[str | Path], lines: list[str], work: Path) -> None:
    """Runs ``pip verb`` for the row's processor and Python with exactly the pinned ``lines``."""
    pins = work / f"{row.name}.txt"
    pins.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", verb, "--quiet", "--no-deps", "--only-binary=:all:", "--implementation=cp"]
    command += [f"--python-version={row.python}", f"--abi=cp{row.python.replace('.', '')}", "--abi=abi3", "--abi=none"]
    command += [f"--platform={platform}" for platform in row.platforms]
    command += ["--require-hashes", "-r", str(pins), *map(str, arguments)]
    subprocess.run(command, check=True)


def build_wheel(folder: Path) -> Path:
    """The device package as a wheel in ``folder``."""
    for old in folder.glob("edge_runtime-*.whl"):
        old.unlink()
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True)
    (found,) = folder.glob("edge_runtime-*.whl")
    return found
