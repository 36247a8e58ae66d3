"""What an image file has that a camera frame has not, judged by its first bytes: nothing is decoded here."""

from __future__ import annotations

from edge_runtime.pixels.orientation import EXIF_ORIENTATION, read_orientation, read_tiff_tags

PNG_MARK = b"\x89PNG\r\n\x1a\n"
TIFF_BITS, TIFF_EXTRA_SAMPLES = 0x0102, 0x0152


def find_oddities(content: bytes) -> tuple[str, ...]:
    """Any of "alpha", "animated", "deep" (more than 8 bits per colour) and "turned" (by its EXIF data) for a file."""
    return _of_its_format(content) + (("turned",) if read_orientation(content) > 1 else ())


def _of_its_format(content: bytes) -> tuple[str, ...]:
    if content.startswith(PNG_MARK):
        return _png(content)
    if content[:4] == b"RIFF" and content[8:16] == b"WEBPVP8X":
        flags = content[20] if len(content) > 20 else 0
        return tuple(word for word, bit in (("alpha", 0x10), ("animated", 0x02)) if flags & bit)
    if content[:4] == b"RIFF" and content[8:16] == b"WEBPVP8L":
        # A signature, 14 bits each for width and height, then the bit that says whether alpha is used.
        return ("alpha",) if len(content) > 24 and content[24] & 0x10 else ()
    tags = read_tiff_tags(content)
    found = [
        ("deep", tags.get(TIFF_BITS, 8) > 8),
        ("alpha", TIFF_EXTRA_SAMPLES in tags),
        ("turned", tags.get(EXIF_ORIENTATION, 1) > 1),
    ]
    return tuple(word for word, holds in found if holds)


def _png(content: bytes) -> tuple[str, ...]:
    if len(content) < 26:
        return ()
    depth, colour_type = content[24], content[25]
    head = content[: max(0, content.find(b"IDAT"))]
    alpha = colour_type in (4, 6) or b"tRNS" in head
    found = [("alpha", alpha), ("animated", b"acTL" in head), ("deep", depth > 8)]
    return tuple(word for word, holds in found if holds)
