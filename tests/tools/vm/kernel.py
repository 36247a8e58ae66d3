"""Builds Linux as an ordinary program from Debian's source package; kept by the digest of configuration and source."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path("/usr/src/linux-source-6.1.tar.xz")
CONFIG = Path(__file__).with_name("kernel.config")


@dataclass(frozen=True)
class Kernel:
    """``program`` is started like any other; ``modules`` is a folder ``lib/modules`` for the root file system."""

    program: Path
    modules: Path


def make_kernel(cache: Path) -> Kernel:
    """The kernel below ``cache``; the first time it is built, some minutes of two processors.

    Raises:
        RuntimeError: the source does not know an option of `CONFIG`.
    """
    folder = cache / f"kernel-{recipe()}"
    if not folder.exists():
        print(f"building the virtual device's kernel once, into {folder}", file=sys.stderr, flush=True)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="kernel-", dir=cache) as work:
            _build(Path(work))
            (Path(work) / "made").rename(folder)
    return Kernel(folder / "linux", folder / "modules")


def recipe() -> str:
    """Twelve digits for what goes into the kernel."""
    size = SOURCE.stat().st_size if SOURCE.exists() else 0
    return hashlib.sha256(CONFIG.read_bytes() + str(size).encode()).hexdigest()[:12]


def _build(work: Path) -> None:
    # Parts that this kernel cannot use, left out for their size.
    without = ("arch/arm*", "drivers/gpu/drm/amd", "tools/testing", "Documentation/devicetree", "sound/soc")
    subprocess.run(
        ["tar", "xf", SOURCE, "-C", work, "--exclude=*.dts*", *(f"--exclude={name}/*.[chS]" for name in without)],
        check=True,
    )
    (source,) = work.glob("linux-source-*")
    make = ["make", "-s", "-C", str(source), "ARCH=um"]
    subprocess.run([*make, f"KCONFIG_ALLCONFIG={CONFIG}", "allnoconfig"], check=True, stdout=subprocess.DEVNULL)
    missing = unknown_options(CONFIG.read_text(), (source / ".config").read_text())
    if missing:
        raise RuntimeError(f"{SOURCE} does not take these options of {CONFIG}: {', '.join(missing)}.")
    with (work / "log").open("wb") as log:
        made = subprocess.run([*make, f"-j{os.cpu_count()}", "linux", "modules"], stdout=log, stderr=log)
    if made.returncode:
        raise RuntimeError(f"The kernel cannot be built:\n{(work / 'log').read_text(errors='replace')[-4000:]}")
    install = [*make, f"INSTALL_MOD_PATH={work / 'made'}", "INSTALL_MOD_STRIP=1", "modules_install"]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    for entry in (work / "made" / "lib" / "modules").glob("*/*"):
        if entry.is_symlink():  # to the source, which does not stay
            entry.unlink()
    (work / "made" / "lib" / "modules").rename(work / "made" / "modules")
    (work / "made" / "lib").rmdir()
    shutil.copy2(source / "linux", work / "made" / "linux")
    subprocess.run(["strip", work / "made" / "linux"], check=True)


def unknown_options(asked: str, made: str) -> list[str]:
    """The lines of the configuration ``asked`` for that are not in the one that was ``made``."""
    have = set(made.splitlines())
    return [line for line in asked.splitlines() if line.startswith("CONFIG_") and line not in have]
