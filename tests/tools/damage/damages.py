"""What lossy cables and networks do to the scan data of a JPEG whose headers and end marker arrive."""

from __future__ import annotations

import cv2
import numpy as np

WAYS = ("cut", "drop", "flip")
PACKET_BYTES = (512, 1024, 1400)
# An image looks damaged when more of its pixels than this differ by more than so many of 255 in some channel.
VISIBLE_SHARE, VISIBLE_STEP = 0.02, 16


def looks_damaged(whole: np.ndarray, other: np.ndarray | None) -> bool:
    """Whether ``other``, (h, w, 3) uint8, differs visibly from ``whole``; an image that cannot be decoded does."""
    if other is None or other.shape != whole.shape:
        return True
    return float((cv2.absdiff(whole, other).max(axis=2) > VISIBLE_STEP).mean()) > VISIBLE_SHARE


def damage(content: bytes, way: str, rng: np.random.Generator) -> tuple[str, bytes]:
    """(what was done, the damaged JPEG) for one of WAYS, somewhere in the scan data of ``content``."""
    scan = content.index(b"\xff\xda")
    scan += 2 + int.from_bytes(content[scan + 2 : scan + 4], "big")
    head, data, end = content[:scan], content[scan:-2], content[-2:]
    at = int(rng.integers(0, len(data)))
    if way == "cut":
        kind, data = way, data[:at]
    elif way == "flip":
        kind, data = way, _flip(data, rng)
    elif rng.random() < 0.25:
        kind, data = "bytes dropped", data[:at] + data[at + int(rng.integers(1, 2000)) :]
    else:
        size = int(rng.choice(PACKET_BYTES))
        begin = max(0, (scan + at) // size * size - scan)
        kind, data = _lose_packet(data, begin, size, rng)
    return kind, head + data + end


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    flipped = bytearray(data)
    for place in rng.integers(0, len(data), int(rng.choice([1, 1, 2, 5, 20]))):
        flipped[place] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


def _lose_packet(data: bytes, begin: int, size: int, rng: np.random.Generator) -> tuple[str, bytes]:
    """A packet is missing, is empty, repeats the content of the one before it, or comes twice."""
    before, packet, after = data[:begin], data[begin : begin + size], data[begin + size :]
    other = {
        "packet dropped": b"",
        "packet zeroed": bytes(len(packet)),
        "packet replaced": before[-len(packet) :] or packet,
        "packet repeated": packet * 2,
    }
    kind = str(rng.choice(list(other)))
    return kind, before + other[kind] + after
