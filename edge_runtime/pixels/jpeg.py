"""Reads the few bytes of a JPEG that decide how to decode it: its size, whether it is whole, whether it may be turned.

No pixel is decoded here, so a bomb or a truncated image is refused before it costs anything.
"""

from __future__ import annotations

from dataclasses import dataclass

START = b"\xff\xd8"
END = b"\xff\xd9"
# Start-of-frame markers: all of C0..CF except the Huffman table (C4), the reserved C8 and the arithmetic table (CC).
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_LENGTHLESS = frozenset({0x01, *range(0xD0, 0xD8)})
# These have one scan if that scan holds every component; the others are progressive, lossless or layered.
_SEQUENTIAL_FRAMES = frozenset({0xC0, 0xC1, 0xC9})


@dataclass(frozen=True)
class JpegHeader:
    """The stored size in pixels, and whether there is an EXIF block (which may ask for the image to be turned).

    ``coefficient_bytes`` is what a decoder must hold of the whole image before it can give the first line, however
    small that line is wanted: nothing for the usual JPEG, two bytes a sample when it comes in several scans, as a
    progressive one does. ``num_scans`` is how many those are, each of which goes through the whole image; 1 for the
    usual JPEG.
    """

    width: int
    height: int
    has_exif: bool
    coefficient_bytes: int = 0
    num_scans: int = 1


def read_jpeg_header(content: bytes) -> JpegHeader | None:
    """The header of a JPEG, or None when ``content`` is not a JPEG with a frame header."""
    if content[:2] != START:
        return None
    position, has_exif = 2, False
    while position + 4 <= len(content):
        if content[position] != 0xFF:
            return None
        marker = content[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker in _LENGTHLESS:
            position += 2
            continue
        if marker in (0x00, 0xD9, 0xDA):  # not a marker; the end; scan data without a frame header before it
            return None
        if marker in _FRAME_MARKERS:
            if position + 9 > len(content):
                return None
            height = int.from_bytes(content[position + 5 : position + 7], "big")
            width = int.from_bytes(content[position + 7 : position + 9], "big")
            if not width or not height:
                return None
            has_exif, coefficient_bytes = _before_scan(content, position, has_exif)
            num_scans = _count_scans(content, position) if coefficient_bytes else 1
            return JpegHeader(width, height, has_exif, coefficient_bytes, num_scans)
        has_exif = has_exif or (marker == 0xE1 and content[position + 4 : position + 8] == b"Exif")
        position += 2 + max(2, int.from_bytes(content[position + 2 : position + 4], "big"))
    return None


def _count_scans(content: bytes, frame: int) -> int:
    """How many scans begin between the frame header at ``frame`` and the end of the image: scan data holds no such
    marker, and what stands behind the end, as the video of a phone, does not count.
    """
    end = find_jpeg_end(content)
    return content.count(b"\xff\xda", frame, end if end > 0 else len(content))


def _before_scan(content: bytes, frame: int, has_exif: bool) -> tuple[bool, int]:
    """(whether EXIF was found up to the first scan, the bytes of coefficients) for the frame header at ``frame``."""
    num_components = content[frame + 9] if frame + 9 < len(content) else 0
    sampling = content[frame + 11 : frame + 10 + 3 * num_components : 3]
    in_one_scan = False
    position = frame
    while position + 4 < len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xDA:
            in_one_scan = content[frame + 1] in _SEQUENTIAL_FRAMES and content[position + 4] >= num_components
            break
        if marker == 0xFF or marker in _LENGTHLESS:
            position += 1 if marker == 0xFF else 2
            continue
        has_exif = has_exif or (marker == 0xE1 and content[position + 4 : position + 8] == b"Exif")
        position += 2 + max(2, int.from_bytes(content[position + 2 : position + 4], "big"))
    if in_one_scan:
        return has_exif, 0
    height, width = (int.from_bytes(content[at : at + 2], "big") for at in (frame + 5, frame + 7))
    across, down = (
        max([1, *factors]) for factors in ([each >> 4 for each in sampling], [each & 15 for each in sampling])
    )
    blocks = sum((each >> 4) * (each & 15) for each in sampling) * -(-width // (8 * across)) * -(-height // (8 * down))
    return has_exif, 2 * 64 * blocks


@dataclass(frozen=True)
class ScanLayout:
    """The groups of blocks that the single scan of a JPEG stores one after another, row by row.

    ``width`` and ``height`` are the size of one group in pixels of the image; ``restart`` is the number of groups
    between two restart markers, 0 if there are none.
    """

    width: int
    height: int
    restart: int = 0

    def reduce(self, divisor: int) -> ScanLayout:
        """The layout of the image decoded at a half, a quarter or an eighth of its size."""
        return ScanLayout(max(1, self.width // divisor), max(1, self.height // divisor), self.restart)


def read_scan_layout(content: bytes) -> ScanLayout | None:
    """The layout of a JPEG with a single scan; None for other JPEGs and anything else."""
    place, restart, factors = 2, 0, b""
    while content[:2] == START and place + 4 <= len(content) and content[place] == 0xFF:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == 0xDA:
            if not factors or content[place + 4 : place + 5] < bytes([len(factors)]):
                return None
            across, down = (max(each >> 4 for each in factors), max(each & 15 for each in factors))
            is_grey = len(factors) == 1  # then a group is one block, whatever the factors are
            return ScanLayout(8, 8, restart) if is_grey else ScanLayout(8 * across, 8 * down, restart)
        if marker in _FRAME_MARKERS:
            if marker not in _SEQUENTIAL_FRAMES:
                return None
            factors = content[place + 11 : place + 10 + 3 * content[place + 9] : 3] if place + 9 < len(content) else b""
        elif marker == 0xDD:
            restart = int.from_bytes(content[place + 4 : place + 6], "big")
        is_alone = marker == 0xFF or marker in _LENGTHLESS
        place += (1 if marker == 0xFF else 2) if is_alone else 2 + max(2, length)
    return None


def find_jpeg_end(content: bytes | bytearray, start: int = 0) -> int:
    """The index after the last byte of the JPEG that starts at ``start``; -1 if its end has not come yet, 0 if it is
    broken.

    Segments before the scan are skipped, because a thumbnail inside one has its own end marker.
    """
    scan = _scan_start(content, start)
    if scan <= 0:
        return scan
    if content[scan + 1] == 0xD9:
        return scan + 2
    end = content.find(END, scan)
    return end + 2 if end >= 0 else -1


def find_next_start(content: bytes | bytearray, start: int, end: int) -> int:
    """Where another JPEG begins inside the scan data of the one at ``start``, which means that this one was cut short;
    else -1.

    Scan data never contains a start marker. ``end`` is where to stop looking.
    """
    scan = _scan_start(content, start)
    return content.find(START + b"\xff", scan, end) if scan > 0 else -1


def _scan_start(content: bytes | bytearray, start: int) -> int:
    """The index of the first scan's marker, or of an end marker before any scan; -1 if not there yet, 0 if broken."""
    position = start + 2
    while position + 4 <= len(content):
        if content[position] != 0xFF:
            return 0
        marker = content[position + 1]
        if marker in (0xDA, 0xD9):
            return position
        stand_alone = marker == 0xFF or marker in _LENGTHLESS
        length = int.from_bytes(content[position + 2 : position + 4], "big")
        position += (1 if marker == 0xFF else 2) if stand_alone else 2 + max(2, length)
    return -1


def cut_out(content: bytes) -> bytes:
    """The JPEG in ``content``, from its start marker to its end marker, without anything before or after.

    A missing end marker is added, so that the decoder says whether anything else is missing. Empty if there is no JPEG
    at all.
    """
    start = content.find(START + b"\xff")
    if start < 0 or _scan_start(content, start) <= 0:
        return b""
    end = find_jpeg_end(content, start)
    return content[start:end] if end > 0 else content[start:] + END


def is_whole(content: bytes | bytearray) -> bool:
    """True if ``content`` starts and ends like a JPEG; cameras may pad the end with zero bytes."""
    return content[:2] == START and (content.endswith(END) or content.rstrip(b"\0").endswith(END))
