"""Makes the root file system of a row: Debian packages unpacked, wheels installed, nothing of it run or emulated.

A root is kept under the digest of all that went into it, so a second check on the same pins builds nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.device.pins import pip_for, row_pins
from tests.device.rows import PYTHON_PACKAGES, Row

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


def make_root(row: Row, cache: Path, work: Path) -> Path:
    """The ready root of ``row`` below ``cache``."""
    pins = row_pins(row)
    base = _base(row, cache)
    recipe = hashlib.sha256("\n".join([base.name, row.python, *row.platforms, *pins]).encode()).hexdigest()[:12]
    site = base / "opt" / f"site-{recipe}"
    if not site.exists():
        _say(f"{row.name}: installing the pinned wheels")
        unfinished = site.with_name("site-unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        pip_for(row, "install", ["--target", unfinished], pins, work)
        unfinished.rename(site)
    return base


def site_of(row: Row, root: Path) -> Path:
    """The folder below ``root`` with the wheels of ``row``."""
    recipe = hashlib.sha256("\n".join([root.name, row.python, *row.platforms, *row_pins(row)]).encode()).hexdigest()[
        :12
    ]
    return root / "opt" / f"site-{recipe}"


def install_wheel(row: Row, root: Path, wheel: Path) -> Path:
    """Puts the device package into ``root`` anew, in a folder of its own; gives the folder."""
    folder = root / "opt" / "app"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", str(folder)]
    subprocess.run([*command, str(wheel)], check=True)
    return folder


def _base(row: Row, cache: Path) -> Path:
    packages = [*PYTHON_PACKAGES, *row.debs]
    recipe = hashlib.sha256(",".join([row.suite, row.architecture, *packages]).encode()).hexdigest()[:12]
    root = cache / f"{row.suite}-{row.architecture}-{recipe}"
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
    subprocess.run([*command, row.suite, str(unfinished), *_mirror()], check=True)
    for link, target in row.links:
        (unfinished / link).symlink_to(target)
    (unfinished / "proc").mkdir(exist_ok=True)
    cores = "".join(CORE.format(number=number) for number in range(4))
    (unfinished / "proc" / "cpuinfo").write_text(cores + "Model\t\t: Raspberry Pi 4 Model B Rev 1.4\n")
    unfinished.rename(root)
    return root


def _mirror() -> list[str]:
    """The mirror that this machine itself uses, else mmdebstrap's default."""
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    found = re.search(r"^URIs:\s*(\S+)", sources.read_text(), re.MULTILINE) if sources.exists() else None
    return [found.group(1)] if found else []


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
