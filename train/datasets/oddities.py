"""What an image file has that a camera frame has not, told from its first bytes: nothing is decoded here."""

from __future__ import annotations

import struct

PNG_MARK, GIF_MARKS = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a")
GIF_FRAME = b"\x00\x21\xf9\x04"
EXIF_ORIENTATION = 0x0112
TIFF_BITS, TIFF_EXTRA_SAMPLES = 0x0102, 0x0152
HEAD_BYTES = 65_536


def find_oddities(content: bytes) -> tuple[str, ...]:
    """Any of "alpha", "animated", "deep" (more than 8 bits a colour) and "turned" (by EXIF) for a file's bytes."""
    if content.startswith(PNG_MARK):
        return _png(content)
    if content.startswith(GIF_MARKS):
        return ("animated",) if content.count(GIF_FRAME) > 1 else ()
    if content[:4] == b"RIFF" and content[8:16] == b"WEBPVP8X":
        flags = content[20] if len(content) > 20 else 0
        return tuple(word for word, bit in (("alpha", 0x10), ("animated", 0x02)) if flags & bit)
    if content[:4] == b"RIFF" and content[8:16] == b"WEBPVP8L":
        # A mark, 14 bits each for width and height, then the bit that says whether alpha is used.
        return ("alpha",) if len(content) > 24 and content[24] & 0x10 else ()
    if content[:2] == b"\xff\xd8":
        return ("turned",) if _jpeg_orientation(content[:HEAD_BYTES]) > 1 else ()
    if content[:4] in (b"II*\x00", b"MM\x00*"):
        tags = _tiff_tags(content)
        found = [("deep", tags.get(TIFF_BITS, 8) > 8), ("alpha", TIFF_EXTRA_SAMPLES in tags)]
        return tuple(word for word, holds in found if holds)
    return ()


def _png(content: bytes) -> tuple[str, ...]:
    if len(content) < 26:
        return ()
    depth, colour_type = content[24], content[25]
    head = content[: max(0, content.find(b"IDAT"))]
    alpha = colour_type in (4, 6) or b"tRNS" in head
    found = [("alpha", alpha), ("animated", b"acTL" in head), ("deep", depth > 8)]
    return tuple(word for word, holds in found if holds)


def _jpeg_orientation(head: bytes) -> int:
    """The EXIF orientation of a JPEG, 1 when it has none."""
    place = 2
    while place + 4 <= len(head) and head[place] == 0xFF and head[place + 1] != 0xDA:
        length = int.from_bytes(head[place + 2 : place + 4], "big")
        if head[place + 1] == 0xE1 and head[place + 4 : place + 10] == b"Exif\x00\x00":
            return _tiff_tags(head[place + 10 : place + 2 + length]).get(EXIF_ORIENTATION, 1)
        place += 2 + length
    return 1


def _tiff_tags(content: bytes) -> dict[int, int]:
    """The first directory's tags of a TIFF structure, each with its first value; none where it is damaged."""
    order = "<" if content[:2] == b"II" else ">"
    tags: dict[int, int] = {}
    try:
        (start,) = struct.unpack_from(f"{order}I", content, 4)
        (num,) = struct.unpack_from(f"{order}H", content, start)
        for index in range(num):
            tag, kind, count = struct.unpack_from(f"{order}HHI", content, start + 2 + 12 * index)
            place = start + 2 + 12 * index + 8
            if kind == 3 and count > 2:  # more than two short numbers lie elsewhere
                (place,) = struct.unpack_from(f"{order}I", content, place)
            (tags[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", content, place)
    except struct.error:
        return tags
    return tags
