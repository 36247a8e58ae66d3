"""Makes text from elsewhere, such as labels, model names and cameras' answers, safe for a terminal."""

from __future__ import annotations

import re

# All control characters except tab and line feed, and those that change the direction of the text.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


# These join or separate letters in Persian, Malayalam and emoji, and are part of a word there.
_JOINERS = str.maketrans("", "", "\u200c\u200d")


def is_plain_name(name: str) -> bool:
    """Whether ``name`` can be the name of a class: no spaces at its ends, no invisible characters except joiners."""
    return name.strip() == name and name.translate(_JOINERS).isprintable()


def compose_name(name: str) -> str:
    """``name`` with each accented letter as one character (NFC): macOS writes them as two."""
    import unicodedata  # a megabyte that a device never needs

    return unicodedata.normalize("NFC", name)


def printable(text: str) -> str:
    """``text`` with every character that could control a terminal or disguise a line replaced by its escape code."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
