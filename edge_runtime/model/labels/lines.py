"""Label lists, one row per class: numbered at either end, in columns, quoted, with a header, blank rows or bullets."""

from __future__ import annotations

import csv
import re

from edge_runtime.model.labels.order import put_in_order

_NAME_WORDS = ("name", "names", "label", "labels", "class", "classes")
_HEADER_WORDS = {*_NAME_WORDS, "index", "id"}
_BEFORE = r"(?:[\[(#]|(?:class|label|id|index)[ _])?"
_BETWEEN = r"(?:\s-(?=\s)|->|=>|[\s:,;.)\]=|])+"
_NUMBERED = {
    "begin": re.compile(rf"{_BEFORE}(?P<number>\d{{1,6}}){_BETWEEN}(?P<label>\S.*)"),
    "end": re.compile(r"(?P<label>\S.*?)(?:\s*(?:[,;:=|\t(\[]|->|=>)\s*|\s+)(?P<number>\d{1,6})[)\]]?"),
}
# Longer than any label; a limit, because the patterns take quadratic time in the length of a row.
_LONGEST = 1000
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'")
_BULLET = re.compile(r"[-*\u2022]\s+")


def read_lines(text: str, num_classes: int, assumptions: list[str]) -> list[str]:
    """The labels in output order, however many there are."""
    rows = [row.strip() for row in text.split("\n")]
    while rows and not rows[-1]:
        rows.pop()
    rows = _without_comments(rows, num_classes, assumptions)
    if len(rows) != num_classes and len(told := [row for row in rows if row]) < len(rows):
        rows = told
        assumptions.append("The label file's empty rows are ignored.")
    if len(rows) == 1 and (parts := _split_row(rows[0], num_classes)):
        assumptions.append("The label file's only row holds all labels.")
        return parts
    numbered = None
    columns = _read_columns(rows, 3)
    if columns is None:
        numbered = _without_numbers(rows)
        columns = _read_columns(rows, 2) if numbered is None and _without_numbers(rows[1:]) is None else None
    if columns is not None:
        assumptions.append(f"The label file's labels are in the column {columns[0]!r}.")
        return columns[1]
    if len(rows) == num_classes + 1 and numbered is None:
        numbered = _without_numbers(rows[1:])
        if numbered is not None or set(re.findall(r"[a-z]+", rows[0].lower())) <= _HEADER_WORDS:
            assumptions.append(f"The label file's first row {rows[0]!r} is a header.")
            rows = rows[1:]
    if numbered is not None:
        where, rows = numbered
        assumptions.append(f"The label file's rows {where} with their own number, which is not part of the label.")
        return [row[1:-1] if _QUOTED.fullmatch(row) else row for row in rows]
    if rows and all(_BULLET.match(row) for row in rows):
        rows = [_BULLET.sub("", row, count=1) for row in rows]
        assumptions.append("The label file's rows begin with a dash, which is not part of the label.")
    return _without_quotes(rows, num_classes, assumptions)


def _without_comments(rows: list[str], num_classes: int, assumptions: list[str]) -> list[str]:
    told = [row for row in rows if not row.startswith("#")]
    if len(rows) != num_classes and len(told) in (num_classes, num_classes + 1) and len(told) < len(rows):
        assumptions.append("The label file's rows that begin with # are comments.")
        return told
    return rows


def _split_row(row: str, num_classes: int) -> list[str] | None:
    """The labels of a list in one row; None if it holds a different number of them."""
    quoted = _find_quoted(row)
    if len(quoted) == num_classes:
        return quoted
    inner = row[1:-1] if re.fullmatch(r"\[.*\]", row) else row
    for separator in (r"[,;\t|]", r"\s+"):
        parts = [part.strip() for part in re.split(separator, inner)]
        if len(parts) == num_classes > 1:
            return parts
    return None


def _read_columns(rows: list[str], least: int) -> tuple[str, list[str]] | None:
    """(title, labels) of the column of names in a table of at least ``least`` columns, one of which numbers the rows;
    None if it is not such a table.
    """
    for separator in (",", ";", "\t", "|"):
        try:
            table = list(csv.reader(rows, delimiter=separator, skipinitialspace=True))
        except csv.Error:  # a field that is too long, or a zero byte
            return None
        if not table or len(table[0]) < least or len({len(row) for row in table}) != 1:
            continue
        titles = [re.findall(r"[a-z]+", title.lower()) for title in table[0]]
        indices = [place for place, words in enumerate(titles) if set(words) & {"index", "id", "idx"}]
        others = [place for place in range(len(titles)) if place not in indices]
        names = [place for word in _NAME_WORDS for place in others if word in titles[place]]
        if not names or not indices or not all(row[indices[0]].strip().isdecimal() for row in table[1:]):
            continue
        if ordered := put_in_order([(int(row[indices[0]]), row[names[0]].strip()) for row in table[1:]]):
            return table[0][names[0]].strip(), ordered
    return None


def _without_numbers(rows: list[str]) -> tuple[str, list[str]] | None:
    """("begin" or "end", where every row has its number; the rows without their numbers, in the order of these, which
    count from 0 or 1); None if they are not numbered. A number after just a space may belong to the name, as in Type 0,
    and so do numbers without which all names would be the same.
    """
    if any(len(row) > _LONGEST for row in rows):
        return None
    for where, pattern in _NUMBERED.items():
        found = [match for row in rows if (match := pattern.fullmatch(row))]
        if not rows or len(found) != len(rows):
            continue
        is_bare = where == "end" and all(re.search(r"\w\s+\d+$", row) for row in rows)
        ordered = put_in_order([(int(match["number"]), match["label"]) for match in found], (0,) if is_bare else (0, 1))
        if ordered is None or (len(ordered) > 1 and len(set(ordered)) == 1):
            continue
        if not (is_bare and len(set(ordered)) < len(ordered)):
            return where, ordered
    return None


def _find_quoted(text: str) -> list[str]:
    return [double or single for double, single in _QUOTED.findall(text)]


def _without_quotes(rows: list[str], num_classes: int, assumptions: list[str]) -> list[str]:
    """The texts in quotes if there is nothing else, except in the first row, as in a list copied from a program."""
    quoted = _find_quoted("\n".join(rows))
    if len(quoted) != num_classes or any(re.search(r"\w", _QUOTED.sub("", row)) for row in rows[1:]):
        return rows
    assumptions.append("The label file's labels are the texts in quotes.")
    return quoted
