"""Reads no more than a limit, and takes no more memory than what is there: ``file.read(limit)`` takes all of it at
once, which a small board without swap refuses.
"""

from __future__ import annotations

from typing import Protocol

_PIECE = 1 << 20


class Readable(Protocol):
    """A binary file, or the body of an answer."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


def read_at_most(file: Readable, limit: int) -> bytes:
    """The bytes of ``file`` up to its end, at most ``limit``."""
    pieces, left = [], limit
    while left > 0 and (piece := file.read(min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
