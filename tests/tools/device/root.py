"""Makes the root file system of a row: Debian packages unpacked, wheels installed, nothing of it run or emulated.

A root is kept under the digest of all that went into it, so a second check on the same pins builds nothing.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import itertools
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.tools.device.pins import pip_for, row_pins
from tests.tools.device.rows import PYTHON_PACKAGES, Row

TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "qemu-aarch64": "qemu-user",
    "qemu-arm": "qemu-user",
    "qemu-aarch64-static": "qemu-user-static",
    "qemu-arm-static": "qemu-user-static",
}
# Raspberry Pi 4: ai-edge-litert reads this file to choose its kernels; qemu 7 would show it this machine's.
CORE = """processor\t: {number}
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

"""


def missing_tools() -> str:
    """Why the check cannot run on this machine, after trying to install what it needs; empty when it can."""
    lacking = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if lacking and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"capture_output": True, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update", "-q"], **quiet)
        subprocess.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *lacking, "arch-test"], **quiet)
        lacking = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if lacking:
        return f"needs {', '.join(lacking)} (Debian: apt-get install {' '.join(lacking)} arch-test)"
    if os.geteuid() != 0:
        return "unpacking a root with its owners needs root"
    return ""


def make_roots(rows: list[Row], cache: Path, work: Path) -> dict[str, Path]:
    """The ready roots below ``cache`` by the name of their row, several made at the same time."""
    by_base: dict[str, list[Row]] = {}
    for row in rows:
        by_base.setdefault(_base_name(row), []).append(row)

    def make(same_base: list[Row]) -> list[tuple[str, Path]]:
        return [(row.name, _make_root(row, cache, work)) for row in same_base]

    with concurrent.futures.ThreadPoolExecutor() as pool:
        return dict(itertools.chain.from_iterable(pool.map(make, by_base.values())))


def _make_root(row: Row, cache: Path, work: Path) -> Path:
    base = _base(row, cache)
    site = site_of(row, base)
    if not site.exists():
        _say(f"{row.name}: installing the pinned wheels")
        unfinished = site.with_name("site-unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        pip_for(row, "install", ["--target", unfinished], row_pins(row), work)
        unfinished.rename(site)
    return base


def site_of(row: Row, root: Path) -> Path:
    """The folder below ``root`` with the wheels of ``row``."""
    recipe = "\n".join([root.name, row.python, *row.platforms, *row_pins(row)])
    return root / "opt" / f"site-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def install_wheel(root: Path, wheel: Path) -> Path:
    """Puts the device package into ``root`` in a folder of its own, named by its content; gives the folder."""
    folder = root / "opt" / f"app-{content_digest(wheel)}"
    if not folder.exists():
        for old in folder.parent.glob("app*"):
            shutil.rmtree(old)
        unfinished = folder.with_name("unfinished-app")
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(unfinished)]
        subprocess.run([*command, str(wheel)], check=True)
        unfinished.rename(folder)
    return folder


def content_digest(wheel: Path) -> str:
    """Twelve digits for the files of ``wheel``, whatever dates they carry."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            content = archive.read(name)
            digest.update(f"{len(name)} {name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:12]


def _base_name(row: Row) -> str:
    recipe = ",".join([row.suite, row.architecture, *PYTHON_PACKAGES, *row.debs])
    return f"{row.suite}-{row.architecture}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def _base(row: Row, cache: Path) -> Path:
    packages = [*PYTHON_PACKAGES, *row.debs]
    root = cache / _base_name(row)
    if root.exists():
        return root
    _say(f"{row.name}: unpacking {row.suite} for {row.architecture}")
    unfinished = cache / f"unfinished-{root.name}"
    shutil.rmtree(unfinished, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=extract", f"--architectures={row.architecture}"]
    command += [f"--include={','.join(packages)}", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"]
    command += ["--skip=check/qemu", "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg"]
    command += ['--aptopt=Acquire::Languages "none"', '--aptopt=APT::Install-Recommends "false"']
    command += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "locale", "doc")]
    subprocess.run([*command, row.suite, str(unfinished), *debian_mirror()], check=True)
    for link, target in row.links:
        (unfinished / link).symlink_to(target)
    (unfinished / "proc").mkdir(exist_ok=True)
    cores = "".join(CORE.format(number=number) for number in range(4))
    (unfinished / "proc" / "cpuinfo").write_text(cores + "Model\t\t: Raspberry Pi 4 Model B Rev 1.4\n")
    unfinished.rename(root)
    return root


def debian_mirror() -> list[str]:
    """The mirror that this machine itself uses, else mmdebstrap's default."""
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    found = re.search(r"^URIs:\s*(\S+)", sources.read_text(), re.MULTILINE) if sources.exists() else None
    return [found.group(1)] if found else []


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
