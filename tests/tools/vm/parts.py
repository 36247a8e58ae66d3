"""What the virtual device needs of this machine, made or fetched once and kept below `CACHE`."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from tests.tools.vm.disk import make_disk
from tests.tools.vm.kernel import SOURCE, make_kernel
from tests.tools.vm.machine import Parts

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "edge-runtime-devices"
# Programs by the Debian package that has them.
TOOLS = {"mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "gcc": "gcc", "make": "make", "flex": "flex"}
TOOLS |= {"bison": "bison", "bc": "bc", "xz": "xz-utils", "unshare": "util-linux", "strip": "binutils"}


def missing_parts() -> str:
    """Why there can be no virtual device here, after trying to install what it needs; empty when there can."""
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        return f"user mode Linux runs on x86_64 Linux, this is {platform.machine()} {platform.system()}"
    if os.geteuid() != 0:
        return "unpacking a root file system with its owners needs root"
    if lacking() and shutil.which("apt-get"):
        quiet = {"capture_output": True, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update", "-q"], **quiet)
        subprocess.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *lacking()], **quiet)
    names = lacking()
    return f"needs {', '.join(names)} (Debian: apt-get install {' '.join(names)})" if names else ""


def lacking() -> list[str]:
    """The Debian packages that are not there."""
    found = {package for tool, package in TOOLS.items() if shutil.which(tool) is None}
    return sorted(found if SOURCE.exists() else found | {"linux-source-6.1"})


def make_parts(shared: Path) -> Parts:
    """Kernel and disk, made where they are not kept yet; the machine sees the folder ``shared``."""
    kernel = make_kernel(CACHE)
    return Parts(kernel.program, make_disk(kernel, CACHE), shared)
