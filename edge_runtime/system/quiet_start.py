"""Starts native libraries without their chatter: what TensorFlow and the interpreters print before any log level of
theirs counts is not for people.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Keeps what C++ code writes to file descriptor 2 from people; where the block fails, they get to see it."""
    sys.stderr.flush()
    original = os.dup(2)
    try:
        with tempfile.TemporaryFile() as kept:
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
