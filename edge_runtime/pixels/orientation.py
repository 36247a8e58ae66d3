"""Turns an image upright as its EXIF block says, with its own reader: OpenCV versions differ in what they apply.

OpenCV 4.11 applies EXIF in JPEG and PNG, 5.0 also in WebP; so it is always told not to, and a host and a device with
different versions see the same image. TIFF stores its orientation in the format itself, and every decoder applies it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image

UPRIGHT = 1
EXIF_ORIENTATION = 0x0112
_EXIF = b"Exif\0\0"
_SHORT = 3
# Added to the flag of every decoding.
AS_STORED = cv2.IMREAD_IGNORE_ORIENTATION

# What turns each orientation upright (EXIF 2.32, 4.6.4, tag 0x0112).
_TURNS: dict[int, Callable[[Image], object]] = {
    2: lambda stored: cv2.flip(stored, 1),
    3: lambda stored: cv2.flip(stored, -1),
    4: lambda stored: cv2.flip(stored, 0),
    5: lambda stored: cv2.transpose(stored),
    6: lambda stored: cv2.rotate(stored, cv2.ROTATE_90_CLOCKWISE),
    7: lambda stored: cv2.flip(cv2.transpose(stored), -1),
    8: lambda stored: cv2.rotate(stored, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def turn_upright(stored: Image, orientation: int) -> Image:
    """The (h, w, 3) uint8 image the right way up; ``orientation`` is 1 to 8, as in EXIF."""
    turn = _TURNS.get(orientation)
    return stored if turn is None else np.asarray(turn(stored), np.uint8)


def read_orientation(content: bytes) -> int:
    """The EXIF orientation of a JPEG, PNG or WebP, 1 to 8; 1 if none is stated, and for every other format."""
    if content[:2] == b"\xff\xd8":
        block = _find_in_jpeg(content)
    elif content[:8] == b"\x89PNG\r\n\x1a\n":
        block = _find_in_chunks(content, 8, ">", b"eXIf", name_first=False)
    elif content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        block = _find_in_chunks(content, 12, "<", b"EXIF", name_first=True)
    else:
        return UPRIGHT
    found = read_tiff_tags(block.removeprefix(_EXIF)).get(EXIF_ORIENTATION, UPRIGHT)
    return found if found in _TURNS else UPRIGHT


def read_tiff_tags(content: bytes) -> dict[int, int]:
    """The tags in the first directory of a TIFF structure, each with its first value; as many as can be read if it is
    damaged.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    tags: dict[int, int] = {}
    if order is None:
        return tags
    try:
        (start,) = struct.unpack_from(f"{order}I", content, 4)
        (num,) = struct.unpack_from(f"{order}H", content, start)
        for index in range(num):
            tag, kind, count = struct.unpack_from(f"{order}HHI", content, start + 2 + 12 * index)
            place = start + 2 + 12 * index + 8
            if kind == _SHORT and count > 2:  # more than two short numbers are stored elsewhere
                (place,) = struct.unpack_from(f"{order}I", content, place)
            (tags[tag],) = struct.unpack_from(f"{order}{'H' if kind == _SHORT else 'I'}", content, place)
    except struct.error:
        return tags
    return tags


def _find_in_jpeg(content: bytes) -> bytes:
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF and content[place + 1] != 0xDA:
        if content[place + 1] == 0xFF:  # fill byte
            place += 1
            continue
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        if content[place + 1] == 0xE1 and content[place + 4 : place + 10] == _EXIF:
            return content[place + 4 : place + 2 + length]
        place += 2 + max(2, length)
    return b""


def _find_in_chunks(content: bytes, place: int, order: str, wanted: bytes, *, name_first: bool) -> bytes:
    """The content of the chunk called ``wanted``. PNG chunks have length, name, data and a checksum; RIFF chunks have
    name, length, data and a padding byte after an odd number of bytes.
    """
    while place + 8 <= len(content):
        first, second = content[place : place + 4], content[place + 4 : place + 8]
        name, (length,) = first if name_first else second, struct.unpack(f"{order}I", second if name_first else first)
        if name == wanted:
            return content[place + 8 : place + 8 + length]
        place += 8 + length + (length % 2 if name_first else 4)
    return b""
