"""Allows one change of the store at a time, and limits how long another one waits.

The lock is on a separate file that only the store's owner may open: anybody may read the store, but must not be able to
keep a service from ending.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.shared_file import try_lock

LOCK = ".lock"
LOOK_EVERY_S = 0.02


@contextlib.contextmanager
def lock_store(folder: Path, wait_s: float) -> Iterator[None]:
    """Holds the lock of the store in ``folder``, which exists, while the block runs.

    Raises:
        EdgeRuntimeError: this user may not change the store, or another change holds it for ``wait_s`` seconds.
    """
    lock = _open(folder)
    try:
        _take(lock, folder, wait_s)
        yield
    finally:
        os.close(lock)


def _open(folder: Path) -> int:
    """A descriptor of the lock file, which gets the folder's owner, whoever creates it: a service that does not run as
    root must be able to open what root's first installation created.
    """
    path, flags = folder / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, flags)
        try:
            lock = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:  # another change has just created it
            return os.open(path, flags)
        if os.geteuid() == 0:
            owner = folder.stat()
            os.fchown(lock, owner.st_uid, owner.st_gid)
        return lock
    except OSError as error:
        raise EdgeRuntimeError(
            f"The store {folder} cannot be changed ({LOCK}: {error.strerror}); what was there is unchanged. Check "
            "space and permissions, or use sudo."
        ) from error


def _take(lock: int, folder: Path, wait_s: float) -> None:
    until_s = monotonic_s() + wait_s
    while True:
        if try_lock(lock):
            return
        if monotonic_s() >= until_s:
            raise EdgeRuntimeError(
                f"The store {folder} has been held by another process for {wait_s:.1f} s, expected a moment; what "
                "was there is unchanged. It may be an edge-runtime install that was stopped or waits for a slow "
                f"disk; see who: fuser -v {folder / LOCK}. Then try again."
            )
        time.sleep(LOOK_EVERY_S)
