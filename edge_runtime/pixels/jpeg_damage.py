"""Hears what the JPEG decoder only mutters: OpenCV hands out a grey or shifted image and one line on stderr.

libjpeg warns by writing to the process's stderr, and OpenCV has no other way to ask. So for the length of one decoding
stderr is a pipe of our own; what in it is not libjpeg's goes on to the real one.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from edge_runtime.system.quiet_start import stderr_lock

# These are compiled once a decoder has said something, to keep start-up short.
# A camera chip may pad its data in front of the end marker: all pixels were decoded by then.
_PADDING = rb"Corrupt JPEG data: (\d|1[0-6]) extraneous bytes before marker 0xd9"
_WARNING = rb"Corrupt JPEG data: .*|Premature end of JPEG file|Invalid JPEG file structure.*|Inconsistent .*"
# Of these libjpeg itself says that they do not matter.
_HARMLESS = rb"Warning: unknown JFIF revision number .*|Unknown Adobe color transform code .*"
_STDERR = 2


class _Ear:
    """The pipe, made once."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        os.set_blocking(self.write_fd, False)


_ear: _Ear | None = None


class DecoderWarning:
    """``text`` is what the decoder said of damage, after the block; empty when it was content."""

    text = ""


@contextlib.contextmanager
def hear_decoder() -> Iterator[DecoderWarning]:
    """Around exactly one decoding of one JPEG; other threads that decode so wait for its end."""
    global _ear
    _ear = _ear or _Ear()
    warning = DecoderWarning()
    with stderr_lock:
        try:
            real = os.dup(_STDERR)
        except OSError:  # a process without stderr: nobody could hear anything
            yield warning
            return
        os.dup2(_ear.write_fd, _STDERR)
        try:
            yield warning
        finally:
            os.dup2(real, _STDERR)
            said = b""
            with contextlib.suppress(BlockingIOError):
                said = os.read(_ear.read_fd, 65536)
            foreign = []
            for line in said.splitlines():
                if re.fullmatch(_WARNING, line):
                    warning.text = warning.text or (
                        "" if re.fullmatch(_PADDING, line) else line.decode("ascii", "replace")
                    )
                elif not re.fullmatch(_HARMLESS, line):
                    foreign.append(line + b"\n")
            if foreign:
                with contextlib.suppress(OSError):
                    os.write(real, b"".join(foreign))
            os.close(real)
