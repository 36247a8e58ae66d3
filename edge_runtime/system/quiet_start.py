"""Suppresses chatter: what TensorFlow and the interpreters print before their log levels take effect, and everything
but errors with --quiet.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import IO

# Hold this while stderr is replaced: two replacements at once would lose the original.
stderr_lock = threading.RLock()


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Holds back what C++ code writes to file descriptor 2, and shows it if the block fails."""
    with stderr_lock:
        yield from _quiet()


@contextlib.contextmanager
def silence_stderr(quiet: bool) -> Iterator[None]:
    """If ``quiet``, drops what the block writes to stderr; an error that leaves the block is reported outside it.

    It silences the file descriptor, not just Python's stream, because native libraries and child processes write there,
    too.
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
    except OSError:  # this process has no stderr, so there is nothing to suppress
        yield
        return
    try:
        with _file_in_memory() as kept:
            os.dup2(kept.fileno(), 2)
            try:
                yield
            except BaseException:  # whatever ends the block early, even an exit, shows what was held back
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
