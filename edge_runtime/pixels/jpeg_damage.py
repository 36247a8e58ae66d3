"""Whether a JPEG was damaged on its way: the one rule, for cameras, folders and files.

The decoder only mutters: OpenCV hands out a grey or shifted image, and libjpeg writes one line to the process's stderr.
OpenCV has no other way to ask. So for the length of one decoding stderr is a pipe of our own; what in it is not
libjpeg's goes on to the real one. What the decoder does not notice is looked for in the pixels.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from edge_runtime.pixels.jpeg import END, read_jpeg_header, read_scan_layout
from edge_runtime.pixels.jpeg_stair import has_stair
from edge_runtime.pixels.preprocess import Image
from edge_runtime.system.quiet_start import stderr_lock

# These are compiled once a decoder has said something, to keep start-up short.
# A camera chip may pad its data in front of the end marker: all pixels were decoded by then. That many bytes at most,
# and nothing but zeros or ones: anything else are blocks that found no place in the image.
_EXTRANEOUS = rb"Corrupt JPEG data: (\d{1,9}) extraneous bytes before marker 0xd9"
_MOST_PADDING = 64
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


class Shifts:
    """How many images of one camera in a row looked shifted. Chance does not damage them all alike: what goes on like
    that is the scene, a screen or bars, and is believed.
    """

    MOST = 3

    def __init__(self) -> None:
        self._num = 0

    def is_scene(self, *, is_shifted: bool) -> bool:
        """Whether another image that looks shifted or not, as ``is_shifted`` says, is one too many for damage."""
        self._num = self._num + 1 if is_shifted else 0
        return self._num > self.MOST


def find_damage(content: bytes, stored: Image, said: str, shifts: Shifts | None = None) -> str:
    """What is wrong with the JPEG ``content``, in words; empty when nothing is.

    ``stored`` is what was decoded of it, (h, w, 3) uint8, not turned, of its full size, a half, a quarter or an eighth;
    ``said`` is what the decoder said meanwhile. Not everything can be found: an image that is off from its first block
    on looks like another image, and a few wrong blocks like a pattern. ``shifts`` are the camera's own, if it is one.
    """
    extraneous = re.fullmatch(_EXTRANEOUS, said.encode())
    if said and not (extraneous and int(extraneous[1]) <= _count_padding(content)):
        if shifts is not None:  # the line loses data: what looks shifted around it is damage as well
            shifts.is_scene(is_shifted=False)
        return said
    header, layout = read_jpeg_header(content), read_scan_layout(content)
    if header is None or layout is None:
        return ""
    divisor = min((1, 2, 4, 8), key=lambda each: abs(header.width - each * stored.shape[1]))
    is_shifted = has_stair(stored, layout.reduce(divisor))
    is_scene = shifts is not None and shifts.is_scene(is_shifted=is_shifted)
    if is_shifted and not is_scene:
        return "its colours shift in the middle of a row of blocks, so a part of its data is lost"
    return ""


def _count_padding(content: bytes) -> int:
    """How many bytes of padding stand before the end marker."""
    end = content.rfind(END)
    data = content[max(0, end - _MOST_PADDING) : max(0, end)]
    return len(data) - min(len(data.rstrip(b"\0")), len(data.rstrip(b"\xff")))


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
                    warning.text = warning.text or line.decode("ascii", "replace")
                elif not re.fullmatch(_HARMLESS, line):
                    foreign.append(line + b"\n")
            if foreign:
                with contextlib.suppress(OSError):
                    os.write(real, b"".join(foreign))
            os.close(real)
