"""Text from elsewhere, such as labels, model names and what cameras answer, made safe for a terminal."""

from __future__ import annotations

import re

# All control characters but tab and line feed, and those that turn the direction of what follows.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def printable(text: str) -> str:
    """``text`` with every character that could command a terminal or disguise a line written as its code."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
