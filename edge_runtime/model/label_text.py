"""Label lists as people write them: one per line, numbered or not, or as JSON; each reading put into words."""

from __future__ import annotations

import json
import re
from typing import Any

from edge_runtime.errors import ModelError

_HEADER_WORDS = {"label", "labels", "class", "classes", "name", "names", "index", "id"}


def read_labels(text: str, num_classes: int, name: str, assumptions: list[str]) -> tuple[str, ...]:
    """The labels in output order; what had to be assumed of ``text`` is added to ``assumptions``.

    Lines may begin with their own number; JSON may be a list, {index: label} or {label: index}.

    Raises:
        ModelError: there are not ``num_classes`` labels, or the JSON has another form; ``name`` is the model's.
    """
    text = text.lstrip("\ufeff")
    rows = _from_json(text, num_classes, name, assumptions) if text.lstrip()[:1] in ("{", "[") else None
    if rows is None:
        rows = _from_lines(text, num_classes, assumptions)
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


def _from_lines(text: str, num_classes: int, assumptions: list[str]) -> list[str]:
    rows = [row.strip() for row in text.splitlines()]
    while rows and not rows[-1]:
        rows.pop()
    numbered = _without_numbers(rows)
    if len(rows) == num_classes + 1 and numbered is None:
        numbered = _without_numbers(rows[1:])
        if numbered is not None or set(re.findall(r"[a-z]+", rows[0].lower())) <= _HEADER_WORDS:
            assumptions.append(f"The label file's first row {rows[0]!r} is a header.")
            rows = rows[1:]
    if numbered is None:
        return rows
    assumptions.append("The label file's rows begin with their own number, which is not part of the label.")
    return numbered


def _without_numbers(rows: list[str]) -> list[str] | None:
    """The rows without the numbers that they begin with, counted from 0 or from 1; None when they are not numbered."""
    for first in (0, 1):
        found = [re.fullmatch(rf"0*{index}[\s:,;.)]+(\S.*)", row) for index, row in enumerate(rows, first)]
        if rows and all(found):
            return [match[1] for match in found if match]
    return None


def _from_json(text: str, num_classes: int, name: str, assumptions: list[str]) -> list[str] | None:
    """The labels of a JSON text; None when it is no JSON, as a first label may begin with a bracket."""
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and len(value) == 1 and isinstance(next(iter(value.values())), (list, dict)):
        value = next(iter(value.values()))  # {"labels": ...}
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        assumptions.append("The labels are a JSON list.")
        return list(value)
    if isinstance(value, dict):
        by_index = [(_as_index(key), label) for key, label in value.items()]
        kind = "{index: label}"
        if any(index is None or not isinstance(label, str) for index, label in by_index):
            by_index, kind = [(_as_index(index), label) for label, index in value.items()], "{label: index}"
        order = sorted((index, label) for index, label in by_index if index is not None and isinstance(label, str))
        if len(order) == len(value) and [index for index, _ in order] == list(range(len(order))):
            assumptions.append(f"The labels are a JSON object of the form {kind}.")
            return [label for _, label in order]
    raise ModelError(
        f"The labels of {name} are JSON of another form, expected a list of {num_classes} texts, "
        f"{{index: label}} or {{label: index}} with the indices 0 to {num_classes - 1}."
    )


def _as_index(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value) else None
