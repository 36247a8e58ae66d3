"""Keeps chatter from people: what TensorFlow and the interpreters print before any log level of theirs counts, and
everything but errors where --quiet asks for that.
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


@contextlib.contextmanager
def silence_stderr(quiet: bool) -> Iterator[None]:
    """If ``quiet``, drops what the block writes to stderr; an error that leaves the block is reported outside it.

    It silences the file descriptor, not only Python's stream: native libraries and child processes chatter as well.
    """
    if not quiet:
        yield
        return
    sys.stderr.flush()
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.ExitStack() as restored:
        restored.enter_context(contextlib.redirect_stderr(nowhere))
        with contextlib.suppress(OSError):  # a process may have no stderr at all
            original = os.dup(2)
            restored.callback(os.close, original)
            restored.callback(os.dup2, original, 2)
            os.dup2(nowhere.fileno(), 2)
        yield


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
