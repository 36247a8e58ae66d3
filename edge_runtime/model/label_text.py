"""Label lists as people and programs write them: lines, numbered or not, JSON, Python or YAML, or a label map of
TensorFlow; each reading put into words.
"""

from __future__ import annotations

import ast
import codecs
import json
import re
from collections.abc import Sequence
from typing import Any

from edge_runtime.errors import ModelError

_HEADER_WORDS = {"label", "labels", "class", "classes", "name", "names", "index", "id"}
# Under which key a configuration holds its labels, and an entry of a list its name.
_LIST_KEYS = ("id2label", "names", "labels", "classes", "class_names", "categories")
_NAME_KEYS = ("name", "label", "display_name", "title")
_INDEX_KEYS = ("id", "index")
_MAX_LITERAL = 1_000_000
_NUMBERED = {
    "begin": r"(?P<number>\d{1,6})[\s:,;.)]+(?P<label>\S.*)",
    "end": r"(?P<label>\S.*?)\s*[,;\t]\s*(?P<number>\d{1,6})",
}


def decode_labels(content: bytes) -> str:
    """The text of a label file: UTF-8, or UTF-16 where it begins with that mark. Raises UnicodeDecodeError."""
    is_wide = len(content) > 2 and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_wide else "utf-8-sig")


def read_labels(text: str, num_classes: int, name: str, assumptions: list[str]) -> tuple[str, ...]:
    """The labels in output order; what had to be assumed of ``text`` is added to ``assumptions``.

    Lines may begin or end with their own number; JSON may be a list, {index: label}, {label: index} or hold one of
    these under the usual keys.

    Raises:
        ModelError: there are not ``num_classes`` labels, or the JSON has another form; ``name`` is the model's.
    """
    text = text.lstrip("\ufeff")
    rows = _from_structure(text, num_classes, name, assumptions)
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
    told = [row for row in rows if not row.startswith("#")]
    if len(rows) != num_classes and len(told) in (num_classes, num_classes + 1) and len(told) < len(rows):
        rows = told
        assumptions.append("The label file's rows that begin with # are comments.")
    parts = re.split(r"[,;\t]", rows[0]) if len(rows) == 1 else []
    if len(parts) == num_classes > 1:
        rows = [part.strip() for part in parts]
        assumptions.append("The label file's only row holds all labels.")
    numbered = _without_numbers(rows)
    if len(rows) == num_classes + 1 and numbered is None:
        numbered = _without_numbers(rows[1:])
        if numbered is not None or set(re.findall(r"[a-z]+", rows[0].lower())) <= _HEADER_WORDS:
            assumptions.append(f"The label file's first row {rows[0]!r} is a header.")
            rows = rows[1:]
    if rows and all(row.startswith("- ") for row in rows):
        rows = [row[2:] for row in rows]
        assumptions.append("The label file's rows begin with a dash, which is not part of the label.")
    if numbered is None:
        return rows
    where, rows = numbered
    assumptions.append(f"The label file's rows {where} with their own number, which is not part of the label.")
    return [row[1:-1] if re.fullmatch(r"\"[^\"]*\"|'[^']*'", row) else row for row in rows]


def _without_numbers(rows: list[str]) -> tuple[str, list[str]] | None:
    """("begin" or "end", the rows without the numbers with which all of them do, by number from 0 or from 1), None when
    they are not numbered.
    """
    for where, pattern in _NUMBERED.items():
        found = [match for row in rows if (match := re.fullmatch(pattern, row))]
        if rows and len(found) == len(rows):
            ordered = _in_order([(int(match["number"]), match["label"]) for match in found])
            if ordered is not None:
                return where, ordered
    return None


def _in_order(pairs: Sequence[tuple[int, str]], firsts: tuple[int, ...] = (0, 1)) -> list[str] | None:
    """The labels by their index, counted from one of ``firsts``; None when an index is missing or twice there."""
    indices = sorted(index for index, _ in pairs)
    first = indices[0] if indices else 0
    if first not in firsts or indices != list(range(first, first + len(indices))):
        return None
    return [label for _, label in sorted(pairs)]


def _from_structure(text: str, num_classes: int, name: str, assumptions: list[str]) -> list[str] | None:
    """The labels of a JSON text and its like; None when it is none, as a first label may begin with a bracket."""
    kind, value = _parse(text)
    if value is None:
        return None
    found = _from_value(value)
    if found is None:
        raise ModelError(
            f"The labels of {name} are {kind} of another form, expected a list of {num_classes} texts, "
            f"{{index: label}} or {{label: index}} with the indices 0 to {num_classes - 1}."
        )
    rows, form = found
    assumptions.append(f"The labels are a {kind} {form}.")
    return rows


def _parse(text: str) -> tuple[str, Any]:
    """(what it is, its value), the value None when it is only lines."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return "JSON", json.loads(text)
        except (ValueError, RecursionError):
            return "Python", _parse_literal(text)
    if re.match(r"\s*item\s*\{", text):
        items = re.findall(r"item\s*\{(.*?)\}", text, re.S)
        pairs = [re.findall(r"(\w+)\s*:\s*(\"[^\"]*\"|'[^']*'|\S+)", item) for item in items]
        return "label map", [{key: text.strip("\"'") for key, text in pair} for pair in pairs]
    if found := re.search(r"^names\s*:[ \t]*(\[.*?\]|\{.*?\})", text, re.S | re.M):
        return "YAML", _parse_literal(found[1]) or [part.strip() for part in found[1][1:-1].split(",")]
    if found := re.search(r"^names\s*:[ \t]*\n((?:[ \t]*(?:-|\d+\s*:)[ \t]+\S.*(?:\n|$))+)", text, re.M):
        pairs = re.findall(r"^[ \t]*(-|\d+)\s*:?[ \t]+(\S.*?)[ \t]*$", found[1], re.M)
        rows = [(number, label.strip("\"'")) for number, label in pairs]
        return "YAML", [label for _, label in rows] if rows[0][0] == "-" else dict(rows)
    return "", None


def _parse_literal(text: str) -> Any:
    if len(text) > _MAX_LITERAL:
        return None
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _from_value(value: Any) -> tuple[list[str], str] | None:
    """(the labels, the form that they had), None for another one."""
    if isinstance(value, dict):
        inner = [value[key] for key in _LIST_KEYS if isinstance(value.get(key), (list, dict))]
        if not inner and len(value) == 1 and isinstance(next(iter(value.values())), (list, dict)):
            inner = list(value.values())
        if inner:
            return _from_value(inner[0])
        value = {key: label[-1] if isinstance(label, list) and label else label for key, label in value.items()}
        for pairs, form in ((value.items(), "{index: label}"), (((b, a) for a, b in value.items()), "{label: index}")):
            known = [(_as_index(index), label) for index, label in pairs]
            labels = [(index, label) for index, label in known if index is not None and isinstance(label, str)]
            if len(labels) == len(value) and (ordered := _in_order(labels, (0,))) is not None:
                return ordered, f"object of the form {form}"
        return None
    if not isinstance(value, list):
        return None
    if all(isinstance(item, str) for item in value):
        return list(value), "list"
    if all(isinstance(item, dict) for item in value):
        names = [_pick(item, _NAME_KEYS) for item in value]
        indices = [_as_index(_pick(item, _INDEX_KEYS)) for item in value]
        texts = [name for name in names if isinstance(name, str)]
        if len(texts) == len(value):
            given = [index for index in indices if index is not None]
            ordered = _in_order(list(zip(given, texts, strict=False))) if len(given) == len(texts) else texts
            return (ordered, "list of objects") if ordered is not None else None
    return None


def _pick(item: dict[str, Any], keys: Sequence[str]) -> Any:
    return next((item[key] for key in keys if item.get(key) is not None), None)


def _as_index(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value) else None
