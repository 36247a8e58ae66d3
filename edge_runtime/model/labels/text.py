"""Turns the bytes of a label file into one name for each output of a model."""

from __future__ import annotations

import codecs

from edge_runtime.errors import ModelError
from edge_runtime.model.labels.lines import read_lines
from edge_runtime.model.labels.structure import read_structure

_MARKS = {  # longer ones first: a shorter one may be the beginning of a longer one
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# A first row that names a class for "none of these", which not every model has.
_BACKGROUND = {"background", "__background__", "_background_", "???", "none of the above"}


def decode_labels(content: bytes) -> str:
    """The text of a label file: UTF-8, or UTF-16 or UTF-32 if a byte order mark or its zero bytes show that.

    Raises UnicodeDecodeError.
    """
    for mark, encoding in _MARKS.items():
        if content.startswith(mark) and len(content) > 2:
            return content.decode(encoding)
    place = content.find(0)
    if place < 0:
        return content.decode("utf-8-sig")
    # In UTF-16 half the bytes of most letters are zero: the second or the first of each pair.
    zeros = [content[start::2].count(0) for start in (0, 1)]
    if min(zeros) == 0 and max(zeros) > len(content) // 4:
        return content.decode("utf-16-le" if zeros[1] else "utf-16-be")
    raise UnicodeDecodeError("utf-8", content, place, place + 1, "a zero byte")


def read_labels(text: str, num_classes: int, name: str, assumptions: list[str]) -> tuple[str, ...]:
    """The labels in output order; whatever had to be assumed about ``text`` is added to ``assumptions``.

    Raises:
        ModelError: there are not ``num_classes`` labels, or the JSON has an unknown form; ``name`` is the model's.
    """
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    rows = read_structure(text, num_classes, name, assumptions)
    if rows is None:
        rows = read_lines(text, num_classes, assumptions)
    if len(rows) == num_classes + 1 and rows[0].strip().lower() in _BACKGROUND:
        assumptions.append(f"The first label {rows[0].strip()!r} is left out: the model has no output for it.")
        rows = rows[1:]
    if len(rows) != num_classes:
        hint = (
            " One row more is often a first row for the background class." if abs(len(rows) - num_classes) == 1 else ""
        )
        raise ModelError(
            f"{name} has {num_classes} outputs but there are {len(rows)} labels; expected one label per line, "
            f"in output order.{hint}"
        )
    rows = [" ".join(row.split()) for row in rows]
    if not all(rows):
        raise ModelError(
            f"Label {rows.index('')} of {name} is empty, expected a word for each of {num_classes} outputs."
        )
    if len(set(rows)) != len(rows):
        rows = [f"{row} (class {index})" if rows.count(row) > 1 else row for index, row in enumerate(rows)]
        assumptions.append("Some labels occur more than once; the class number was added to those.")
    return tuple(rows)
