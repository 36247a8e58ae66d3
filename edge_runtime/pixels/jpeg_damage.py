"""Tells whether a JPEG was damaged in transit: the one rule for cameras, folders and files.

For a damaged JPEG, OpenCV returns a grey or shifted image, and libjpeg writes one line to the process's stderr; OpenCV
offers no other way to ask. So stderr is replaced by a pipe while one image is decoded, and whatever did not come from
libjpeg is passed on to the real stderr. Damage that the decoder does not notice is looked for in the pixels.
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

# These patterns are compiled only once a decoder has said something, to keep start-up short. A camera chip may pad its
# data before the end marker, when all pixels have been decoded: with at most this many bytes, and only zeros or ones.
# Anything else is blocks that found no place in the image.
_EXTRANEOUS = rb"Corrupt JPEG data: (\d{1,9}) extraneous bytes before marker 0xd9"
_MOST_PADDING = 64
_WARNING = rb"Corrupt JPEG data: .*|Premature end of JPEG file|Invalid JPEG file structure.*|Inconsistent .*"
# libjpeg itself says that these do not matter.
_HARMLESS = rb"Warning: unknown JFIF revision number .*|Unknown Adobe color transform code .*"
_STDERR = 2


class _StderrPipe:
    """The pipe in place of stderr, made once."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        os.set_blocking(self.write_fd, False)


_pipe: _StderrPipe | None = None


class Shifts:
    """Counts how many images of one camera in a row look shifted. Chance damage does not repeat: if it goes on, it is
    the scene (a screen, or bars), and the images are trusted.
    """

    MOST = 3

    def __init__(self) -> None:
        self._num = 0

    def is_scene(self, *, is_shifted: bool) -> bool:
        """Counts one more image; whether too many in a row have looked shifted for it to be damage."""
        self._num = self._num + 1 if is_shifted else 0
        return self._num > self.MOST


def find_damage(content: bytes, stored: Image, said: str, shifts: Shifts | None = None) -> str:
    """What is wrong with the JPEG ``content``, in words; empty if nothing is.

    ``stored`` is the decoded image, (h, w, 3) uint8, not turned, at full, half, quarter or eighth size; ``said`` is
    what the decoder said while decoding. Not all damage can be found: an image that is off from its first block on
    looks like another image, and a few wrong blocks look like a pattern. ``shifts`` belongs to the camera, if any.
    """
    extraneous = re.fullmatch(_EXTRANEOUS, said.encode())
    if said and not (extraneous and int(extraneous[1]) <= _count_padding(content)):
        if shifts is not None:  # data is being lost, so neighbouring images that look shifted are damaged, too
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
    """How many bytes of padding precede the end marker."""
    end = content.rfind(END)
    data = content[max(0, end - _MOST_PADDING) : max(0, end)]
    return len(data) - min(len(data.rstrip(b"\0")), len(data.rstrip(b"\xff")))


class DecoderWarning:
    """``text`` is what the decoder said about damage, once the block has ended; empty if nothing."""

    text = ""


@contextlib.contextmanager
def catch_decoder_warning() -> Iterator[DecoderWarning]:
    """Wraps the decoding of exactly one JPEG; other threads that use it wait until this one has finished."""
    global _pipe
    _pipe = _pipe or _StderrPipe()
    warning = DecoderWarning()
    with stderr_lock:
        try:
            real = os.dup(_STDERR)
        except OSError:  # this process has no stderr, so there is nothing to catch
            yield warning
            return
        os.dup2(_pipe.write_fd, _STDERR)
        try:
            yield warning
        finally:
            os.dup2(real, _STDERR)
            said = b""
            with contextlib.suppress(BlockingIOError):
                said = os.read(_pipe.read_fd, 65536)
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
