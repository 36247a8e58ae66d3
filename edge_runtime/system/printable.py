"""Text from elsewhere, such as labels, model names and what cameras answer, made safe for a terminal."""

from __future__ import annotations

import re

# All control characters but tab and line feed, and those that turn the direction of what follows.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


# They join or separate letters in Persian, Malayalam and emoji, and are part of a word there.
_JOINERS = str.maketrans("", "", "\u200c\u200d")


def is_plain_name(name: str) -> bool:
    """Whether ``name`` can be a class's: no blanks at its ends, no characters that cannot be seen but joiners."""
    return name.strip() == name and name.translate(_JOINERS).isprintable()


def compose_name(name: str) -> str:
    """``name`` with each accent and its letter as one character (NFC): macOS writes them as two."""
    import unicodedata  # a library of a megabyte that a device never needs

    return unicodedata.normalize("NFC", name)


def printable(text: str) -> str:
    """``text`` with every character that could command a terminal or disguise a line written as its code."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
