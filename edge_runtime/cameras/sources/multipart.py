"""Cuts a ``multipart/x-mixed-replace`` byte stream, as network cameras send it, into its JPEG parts.

Bytes go in, parts come out; no socket here. A part is handed out as soon as its last byte is in, not when the next one
begins, and after a damaged part the reader finds the next boundary again.
"""

from __future__ import annotations

from edge_runtime.errors import CameraError
from edge_runtime.pixels.jpeg import START, is_whole, jpeg_end

MAX_PART_BYTES = 32 * 1024 * 1024
MAX_HEADER_BYTES = 16 * 1024


class MultipartReader:
    """Feed it with `feed`; `next_part` gives the next part's bytes, whole JPEG or not, or None until more bytes are
    fed.
    """

    def __init__(self, boundary: str) -> None:
        bare = boundary.strip().strip('"')
        self._delimiter = (bare if bare.startswith("--") else f"--{bare}").encode("latin-1")
        self._buffer = bytearray()

    def feed(self, content: bytes) -> None:
        """Appends received bytes; CameraError when a part outgrows MAX_PART_BYTES."""
        self._buffer += content
        if len(self._buffer) > MAX_PART_BYTES:
            raise CameraError(
                f"An image of the camera's stream has more than {MAX_PART_BYTES} bytes, expected a JPEG of a few "
                "hundred thousand; check that the address is an MJPEG stream."
            )

    def next_part(self) -> bytes | None:
        """The next part, without its headers; an empty part is skipped."""
        while True:
            body = self._body_start()
            if body is None:
                return None
            start, length = body
            end = self._body_end(start, length)
            if end is None:
                return None
            part = bytes(self._buffer[start:end])
            del self._buffer[:end]
            if part:
                return part

    def _body_start(self) -> tuple[int, int | None] | None:
        """(index of the first byte after the headers, announced length or None), or None when they are not there
        yet.
        """
        begin = self._buffer.find(self._delimiter)
        if begin < 0:
            del self._buffer[: max(0, len(self._buffer) - len(self._delimiter) - 2)]  # nothing but garbage so far
            return None
        if begin > 0:
            del self._buffer[:begin]
        headers_end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEADER_BYTES)
        if headers_end < 0:
            if len(self._buffer) >= MAX_HEADER_BYTES:  # no headers at all: look for the next boundary
                del self._buffer[: len(self._delimiter)]
                return self._body_start()
            return None
        return headers_end + 4, _announced_length(bytes(self._buffer[:headers_end]))

    def _body_end(self, start: int, length: int | None) -> int | None:
        if length is not None:
            if len(self._buffer) < start + length:
                return self._early_end(start)
            if is_whole(bytes(self._buffer[start : start + length])):
                return start + length
            # The length may lie about a part that was cut short; never swallow the part behind it.
            early = self._buffer.find(self._delimiter, start, start + length)
            return self._without_line_break(start, early) if early >= 0 else start + length
        boundary = self._buffer.find(self._delimiter, start)
        if boundary >= 0:
            return self._without_line_break(start, boundary)
        end = jpeg_end(self._buffer, start) if self._buffer[start : start + 2] == START else -1
        return end if end > 0 else None

    def _early_end(self, start: int) -> int | None:
        """The end of a part that is shorter than announced, known by the next boundary with its headers behind it."""
        early = self._buffer.find(b"\r\n" + self._delimiter + b"\r\n", start)
        return early if early >= 0 else None

    def _without_line_break(self, start: int, boundary: int) -> int:
        return boundary - 2 if boundary - 2 >= start and self._buffer[boundary - 2 : boundary] == b"\r\n" else boundary


def _announced_length(headers: bytes) -> int | None:
    for line in headers.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
            return length if 0 < length <= MAX_PART_BYTES else None
    return None
