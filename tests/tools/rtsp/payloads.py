"""Images as RTP payloads: JPEG by RFC 2435, H.264 by RFC 6184."""

from __future__ import annotations

import struct
from collections.abc import Iterator

MOST_BYTES = 1400
_QUANTIZATION, _SCAN = 0xDB, 0xDA
_TABLE_BYTES = 64


def split_jpeg(content: bytes) -> Iterator[bytes]:
    """The payloads of one baseline JPEG as OpenCV writes it: 4:2:0, the usual Huffman tables, 8-bit quantization."""
    tables, width, height, scan = _read_jpeg(content)
    head = struct.pack("!BBH", 0, 0, len(tables)) + tables
    offset = 0
    while offset < len(scan):
        piece = scan[offset : offset + MOST_BYTES]
        # Type 1 is 4:2:0, and 255 means that the quantization tables come with the first packet of an image.
        main = struct.pack("!I", offset) + bytes([1, 255, width // 8, height // 8])
        yield main + (head if offset == 0 else b"") + piece
        offset += len(piece)


def _read_jpeg(content: bytes) -> tuple[bytes, int, int, bytes]:
    """Quantization tables one behind the other, width, height, and the scan data."""
    tables, width, height, position = b"", 0, 0, 2
    while True:
        marker, length = content[position + 1], int.from_bytes(content[position + 2 : position + 4], "big")
        body = content[position + 4 : position + 2 + length]
        position += 2 + length
        if marker == _QUANTIZATION:
            for start in range(0, len(body), 1 + _TABLE_BYTES):
                tables += body[start + 1 : start + 1 + _TABLE_BYTES]
        elif marker == 0xC0:
            height, width = struct.unpack("!HH", body[1:5])
        elif marker == _SCAN:
            return tables, width, height, content[position:-2]


def split_units(stream: bytes) -> list[bytes]:
    """The NAL units of an H.264 stream whose units begin with 00 00 01."""
    return [unit.rstrip(b"\0") for unit in stream.split(b"\0\0\1")[1:]]


def gather_images(units: list[bytes]) -> list[list[bytes]]:
    """``units`` by the image to which they belong, parameter sets before it; of streams with one slice an image."""
    images: list[list[bytes]] = [[]]
    for unit in units:
        images[-1].append(unit)
        if unit[0] & 31 in (1, 5):
            images.append([])
    return images[:-1]


def split_h264(units: list[bytes]) -> Iterator[bytes]:
    """The payloads of one image: whole units, and those that are longer than a packet in fragments."""
    for unit in units:
        if len(unit) <= MOST_BYTES:
            yield unit
            continue
        indicator, kind, body = unit[0] & 0xE0 | 28, unit[0] & 31, unit[1:]
        pieces = [body[start : start + MOST_BYTES] for start in range(0, len(body), MOST_BYTES)]
        for number, piece in enumerate(pieces):
            edge = (number == 0) << 7 | (number == len(pieces) - 1) << 6
            yield bytes([indicator, edge | kind]) + piece
