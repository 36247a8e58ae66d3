"""Starts native libraries without their chatter: what TensorFlow and the interpreters print before any log level of
theirs counts is not for people.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import IO

# Whoever puts something else into the place of stderr holds this until it is back: two at once would lose it.
stderr_lock = threading.RLock()


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Keeps what C++ code writes to file descriptor 2 from people; where the block fails, they get to see it."""
    with stderr_lock:
        yield from _quiet()


def _quiet() -> Iterator[None]:
    sys.stderr.flush()
    try:
        original = os.dup(2)
    except OSError:  # a process without stderr: there is nobody to be quiet for
        yield
        return
    try:
        with _file_in_memory() as kept:
            os.dup2(kept.fileno(), 2)
            try:
                yield
            except BaseException:  # any end but the good one needs what was kept, also an exit
                os.dup2(original, 2)
                kept.seek(0)
                os.write(2, kept.read())
                raise
    finally:
        os.dup2(original, 2)
        os.close(original)


def _file_in_memory() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stderr"), "w+b", buffering=0)
    import tempfile

    return tempfile.TemporaryFile(buffering=0)
