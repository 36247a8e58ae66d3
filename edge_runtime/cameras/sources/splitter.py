"""Splits the bytes that a camera sends into JPEG images, with or without ``multipart`` framing around them.

Bytes go in, parts come out; there is no socket here. An image reaches from its start marker to its end marker; lengths
and boundaries are only hints, because cameras get both wrong. A part is handed out as soon as its last byte has come.
"""

from __future__ import annotations

import re

from edge_runtime.errors import CameraError
from edge_runtime.pixels.jpeg import END, START, find_jpeg_end, find_next_start, is_whole

MAX_PART_BYTES = 32 * 1024 * 1024
MAX_HEADER_BYTES = 16 * 1024
_IMAGE = START + b"\xff"
_HEADERS_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"(?im)^content-length[ \t]*:[ \t]*(\d{1,10})[ \t]*\r?$")
_NEVER = re.compile(rb"(?!)")


class JpegSplitter:
    """`feed` takes bytes; `next_part` gives the next image, or whatever else a part holds, or None until more bytes are
    fed.

    ``boundary`` is the one that a multipart stream announces. It serves to find parts that hold no whole image; images
    are found without it.
    """

    def __init__(self, boundary: str = "") -> None:
        bare = boundary.strip().strip('"').encode("latin-1", "replace")
        delimiter = bare if bare.startswith(b"--") or not bare else b"--" + bare
        self._delimiter = re.compile(re.escape(delimiter) + rb"(?=\s|--)") if bare else _NEVER
        self._tail = len(delimiter) + 2
        self._buffer = bytearray()
        # The first bytes of the buffer known to hold no start of an image, so that a flood of empty parts is searched
        # only once.
        self._num_clear = 0
        self._sends_ends = False

    def feed(self, content: bytes) -> None:
        """Appends received bytes; CameraError if a part outgrows MAX_PART_BYTES."""
        self._buffer += content
        if len(self._buffer) > MAX_PART_BYTES:
            raise CameraError(
                f"An image of the camera's stream has more than {MAX_PART_BYTES} bytes, expected a JPEG of a few "
                "hundred thousand; check that the address is an MJPEG stream."
            )

    @property
    def is_begun(self) -> bool:
        """Whether the buffer holds an image that has begun: not complete yet, or not fetched yet."""
        return _IMAGE in self._buffer

    def next_part(self) -> bytes | None:
        """The next part, without its headers and anything else around its image; empty parts are skipped."""
        while True:
            place = self._next_place()
            if place is None:
                return None
            start, end, after = place
            part = bytes(self._buffer[start:end])
            self._drop(after)
            if part.strip(b"\r\n"):
                return part

    def _next_place(self) -> tuple[int, int, int] | None:
        """(start of the next part, its end (exclusive), where to go on), or None if it has not all come yet."""
        image = self._buffer.find(_IMAGE, self._num_clear)
        self._num_clear = image if image >= 0 else max(0, len(self._buffer) - len(_IMAGE) + 1)
        boundary = self._delimiter.search(self._buffer, 0, image if image >= 0 else len(self._buffer))
        if boundary is None:
            if image < 0:  # nothing but garbage so far
                self._drop(max(0, len(self._buffer) - self._tail))
                return None
            place = self._image_place(image, None)
            at_boundary = place is not None and self._delimiter.match(self._buffer, place[2])
            if place is not None and at_boundary and not is_whole(self._buffer[image : place[1]]):
                return image, image, image + len(START)  # garbage before a part that looks like a start
            return place
        self._drop(boundary.start())
        begin, image = boundary.end() - boundary.start(), image - boundary.start() if image >= 0 else -1
        headers = _HEADERS_END.search(self._buffer, begin, begin + MAX_HEADER_BYTES)
        if headers is None and image < 0:
            others = [each.start() for each in self._delimiter.finditer(self._buffer, begin, begin + MAX_HEADER_BYTES)]
            if others or len(self._buffer) >= MAX_HEADER_BYTES:  # no headers at all: an empty part
                after = others[-1] if others else begin
                return after, after, after
            return None
        body = headers.end() if headers is not None and (image < 0 or headers.end() <= image) else image
        announced = _LENGTH.search(self._buffer, begin, body)
        length = int(announced[1]) if announced is not None else 0
        return self._body_place(body, image, length if 0 < length <= MAX_PART_BYTES else None)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._num_clear = max(0, self._num_clear - count)

    def _body_place(self, body: int, image: int, length: int | None) -> tuple[int, int, int] | None:
        if length is not None and len(self._buffer) >= body + length:
            if is_whole(self._buffer[body : body + length]):  # the usual case, and the fastest
                self._sends_ends = True
                return body, body + length, body + length
            if image < 0 and self._delimiter.search(self._buffer, body, body + length) is None:
                return body, body + length, body + length
        boundary = self._delimiter.search(self._buffer, body)
        if image >= 0 and (boundary is None or image < boundary.start()):
            return self._image_place(image, body + length if length is not None else None)
        return None if boundary is None else (body, self._before_line_break(body, boundary.start()), boundary.start())

    def _image_place(self, start: int, announced: int | None) -> tuple[int, int, int] | None:
        """`_next_place` for the image at ``start``, which ends at ``announced`` if the camera is right."""
        boundary = self._delimiter.search(self._buffer, start)
        limit = boundary.start() if boundary is not None else -1
        end = find_jpeg_end(self._buffer, start)
        if end == 0:
            end = limit if limit >= 0 else start + len(START)  # broken in its headers
            return start, self._before_line_break(start, end), end
        other = find_next_start(self._buffer, start, end if end > 0 else len(self._buffer))
        cut = min((each for each in (limit, other) if each >= 0), default=-1)
        if end > 0 and not 0 <= cut < end:
            self._sends_ends = True
            return start, end, end
        if cut >= 0:
            return start, self._before_line_break(start, cut), cut
        if announced == len(self._buffer) and not self._sends_ends and find_jpeg_end(self._buffer + END, start) > 0:
            return start, announced, announced  # as long as announced, without an end marker
        return None

    def _before_line_break(self, start: int, end: int) -> int:
        for line_break in (b"\r\n", b"\n"):
            if self._buffer[start:end].endswith(line_break):
                return end - len(line_break)
        return end
