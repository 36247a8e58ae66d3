"""Writes a file so that after a crash or a power cut either the old or the new one is there, complete."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from edge_runtime.errors import OutputError

UNFINISHED = ".unfinished-"
# The first exists only on POSIX, the second only on Windows.
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def write_durably(path: Path, content: bytes) -> None:
    """Writes beside ``path``, syncs the file, renames it, syncs the folder.

    Raises:
        OutputError: the file system is full, read-only or forbidden; ``path`` is unchanged.
    """
    try:
        replace_file(path, content)
    except OSError as error:
        raise OutputError(
            f"{path} ({len(content)} bytes) cannot be written ({error.strerror}); what was there is unchanged. "
            "Check space and permissions."
        ) from error


def replace_file(path: Path, content: bytes, *, mode: int = 0o644, sync: bool = True) -> None:
    """As `write_durably`; without ``sync`` a power cut may lose the last write, but a crash of this process never does.

    Raises:
        OSError: it cannot be written; ``path`` is unchanged.
    """
    unfinished = path.with_name(f"{UNFINISHED}{path.name}-{os.getpid()}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, mode)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        unfinished.replace(path)
        if sync:
            sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def expect_writable(folder: Path) -> None:
    """Creates ``folder`` and writes a trial file in it, so that a problem shows before hours of work, not after.

    Raises:
        OutputError: no file can be written there; says why.
    """
    probe = folder / f"{UNFINISHED}probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as error:
        with contextlib.suppress(OSError):
            probe.unlink()
        reason = error.strerror if folder.is_dir() or not folder.exists() else "it is a file"
        raise OutputError(
            f"No file can be written into {folder} ({reason}), expected a folder with space and permission. "
            "Give another place."
        ) from error


def sync_folder(folder: Path) -> None:
    """Makes renames and removals in ``folder`` survive a power cut; does nothing on Windows, which cannot do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
