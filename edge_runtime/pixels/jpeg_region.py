"""Marks an image that was cut out of a camera's frame with its region, in a comment inside the JPEG.

Copying, renaming and sorting keep the comment, whichever program does it; decoders ignore it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from edge_runtime.contract import Region
from edge_runtime.errors import UsageError
from edge_runtime.pixels.jpeg import START
from edge_runtime.pixels.region import parse_region

_COMMENT, _SCAN, _FIRST_APP, _LAST_APP = 0xFE, 0xDA, 0xE0, 0xEF
_MARK = b"edge-runtime region="


def mark_region(jpeg: bytes, region: Region | None) -> bytes:
    """``jpeg`` with a comment saying that it shows ``region`` of a frame; unchanged for None."""
    if region is None:
        return jpeg
    text = _MARK + str(region).encode("ascii")
    end = 2
    for marker, place, length in _segments(jpeg):
        if not _FIRST_APP <= marker <= _LAST_APP:  # application segments come first
            break
        end = place + length
    return jpeg[:end] + struct.pack(">BBH", 0xFF, _COMMENT, len(text) + 2) + text + jpeg[end:]


def read_region(content: bytes) -> Region | None:
    """The region that `mark_region` wrote into a JPEG; None for any other file."""
    if not content.startswith(START):
        return None
    for marker, place, length in _segments(content):
        text = content[place + 4 : place + length]
        if marker == _COMMENT and text.startswith(_MARK):
            try:
                return parse_region(text[len(_MARK) :].decode("ascii", "replace"))
            except UsageError:  # not written by `mark_region`, or damaged
                return None
    return None


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, position, length including the two marker bytes) of each segment before the first scan."""
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF and content[place + 1] != _SCAN:
        length = 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if length < 4:
            return
        yield content[place + 1], place, length
        place += length
