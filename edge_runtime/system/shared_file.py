"""A file that several processes share: one at a time holds its lock, and records are read and written in place.

The only module that uses flock and pread; on Windows, which lacks them, it uses the alternatives.
"""

from __future__ import annotations

import importlib
import os
import threading
from pathlib import Path
from typing import Any

# Windows locks bytes, which nobody else may then read: this one lies beyond any content.
_BEHIND_ALL = 1 << 40
_seek_lock = threading.Lock()


def open_shared(path: Path, mode: int = 0o644) -> int:
    """A descriptor of the file at ``path``, which is created with ``mode`` if it does not exist. Raises OSError."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, mode)


def try_lock(descriptor: int) -> bool:
    """Locks the file until `unlock` or the end of this process; False if another descriptor holds the lock."""
    fcntl = _flock_module()
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            _lock_byte(descriptor, "LK_NBLCK")
    except (BlockingIOError, PermissionError):  # from flock, from Windows
        return False
    return True


def unlock(descriptor: int) -> None:
    """Releases the lock, which must be held."""
    fcntl = _flock_module()
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    else:
        _lock_byte(descriptor, "LK_UNLCK")


def wait_for_lock(descriptor: int) -> None:
    """As `try_lock`, but waits for the lock. Raises OSError if Windows gives up, after ten seconds."""
    fcntl = _flock_module()
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    else:
        _lock_byte(descriptor, "LK_LOCK")


def read_at(descriptor: int, num_bytes: int, place: int) -> bytes:
    """Up to ``num_bytes`` bytes from ``place`` on, fewer at the end of the file."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, num_bytes, place)
    with _seek_lock:
        os.lseek(descriptor, place, os.SEEK_SET)
        return os.read(descriptor, num_bytes)


def write_at(descriptor: int, content: bytes, place: int) -> None:
    """Writes all of ``content`` from ``place`` on. Raises OSError if the disk is full."""
    left = memoryview(content)
    while left:
        if hasattr(os, "pwrite"):
            written = os.pwrite(descriptor, left, place)
        else:
            with _seek_lock:
                os.lseek(descriptor, place, os.SEEK_SET)
                written = os.write(descriptor, left)
        left, place = left[written:], place + written


def _flock_module() -> Any:
    """The module `fcntl`, or None if the system has none."""
    try:
        return importlib.import_module("fcntl")
    except ImportError:
        return None


def _lock_byte(descriptor: int, how: str) -> None:
    msvcrt: Any = importlib.import_module("msvcrt")
    with _seek_lock:
        os.lseek(descriptor, _BEHIND_ALL, os.SEEK_SET)
        msvcrt.locking(descriptor, getattr(msvcrt, how), 1)
