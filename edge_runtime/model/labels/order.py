"""Puts labels into the order of the numbers beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

# "class_0" and "label 0" also count as 0.
_INDEX = re.compile(r"(?:(?:class|label)[ _-]?)?(\d{1,9})(?:\.0)?", re.I)


def put_in_order(pairs: Sequence[tuple[int, str]], firsts: tuple[int, ...] = (0, 1)) -> list[str] | None:
    """The labels in the order of their indices, counted from one of ``firsts``; None if one is missing or duplicate."""
    indices = sorted(index for index, _ in pairs)
    first = indices[0] if indices else 0
    if first not in firsts or indices != list(range(first, first + len(indices))):
        return None
    return [label for _, label in sorted(pairs)]


def as_index(value: Any) -> int | None:
    """The index that a value stands for, or None."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _INDEX.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) if found else None
