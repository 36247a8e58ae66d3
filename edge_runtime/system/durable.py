"""Writes a file so that after a crash or a power cut it is the old one or the new one, whole, never anything else."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from edge_runtime.errors import EdgeRuntimeError

UNFINISHED = ".unfinished-"
# What only POSIX has, what only Windows has.
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def write_durably(path: Path, content: bytes) -> None:
    """Writes beside ``path``, syncs the file, renames it, syncs the folder.

    Raises:
        EdgeRuntimeError: the file system is full, read-only or forbidden; ``path`` is as it was.
    """
    try:
        replace_file(path, content)
    except OSError as error:
        raise EdgeRuntimeError(
            f"{path} ({len(content)} bytes) cannot be written ({error.strerror}); what was there is unchanged. "
            "Check space and permissions."
        ) from error


def replace_file(path: Path, content: bytes, *, mode: int = 0o644, sync: bool = True) -> None:
    """As `write_durably`; without ``sync`` a power cut may lose what was written last, though never a crash of this
    process.

    Raises:
        OSError: it cannot be written; ``path`` is as it was.
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


def sync_folder(folder: Path) -> None:
    """Makes renames and removals in ``folder`` survive a power cut, where folders can be synced: not on Windows."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
