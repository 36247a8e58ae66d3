"""Label lists in JSON, Python or YAML, or as a TensorFlow label map."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from edge_runtime.errors import ModelError
from edge_runtime.model.labels.order import as_index, put_in_order

# Keys under which a configuration holds its labels, and an entry of a list its name and number.
_LIST_KEYS = ("id2label", "names", "labels", "classes", "class_names", "categories")
_NAME_KEYS = ("name", "label", "display_name", "title")
_INDEX_KEYS = ("id", "index")
_MAX_LITERAL = 1_000_000
_MAX_DEPTH = 8
_YAML_KEY = rf"^[ \t]*(?:{'|'.join(_LIST_KEYS)})\s*:[ \t]*"


def read_structure(text: str, num_classes: int, name: str, assumptions: list[str]) -> list[str] | None:
    """The labels in a JSON text or the like; None for plain lines, whose first label may begin with a bracket.

    JSON may be a list, {index: label}, {label: index}, or contain one of these anywhere.

    Raises:
        ModelError: it has another form; ``name`` is the model's.
    """
    kind, value = _parse(text)
    if value is None:
        return None
    found = _from_value(value)
    if found is None or (len(found[0]) != num_classes and isinstance(value, dict)):
        fitting = [each for each in _find_inner(value) if len(each[0]) == num_classes]
        found = fitting[0] if fitting else found
    if found is None:
        raise ModelError(
            f"The labels of {name} are {kind} of another form, expected a list of {num_classes} texts, "
            f"{{index: label}} or {{label: index}} with the indices 0 to {num_classes - 1}."
        )
    rows, form = found
    assumptions.append(f"The labels are a {kind} {form}.")
    return rows


def _parse(text: str) -> tuple[str, Any]:
    """(the format, the value); the value is None for plain lines."""
    text = re.sub(r"\A(?:\s*(?://|#|---)[^\n]*\n)+(?=\s*[\[{])", "", text)
    if text.lstrip()[:1] in ("{", "["):
        try:
            return "JSON", json.loads(text)
        except (ValueError, RecursionError):
            return ("JSON", rows) if (rows := _parse_rows(text)) else ("Python", _parse_literal(text))
    if re.match(r"\s*item\s*\{", text):
        items = re.findall(r"item\s*\{(.*?)\}", text, re.S)
        pairs = [re.findall(r"(\w+)\s*:\s*(\"[^\"]*\"|'[^']*'|\S+)", item) for item in items]
        return "label map", [{key: text.strip("\"'") for key, text in pair} for pair in pairs]
    if found := re.search(_YAML_KEY + r"(\[.*?\]|\{.*?\})", text, re.S | re.M):
        return "YAML", _parse_literal(found[1]) or [part.strip() for part in found[1][1:-1].split(",")]
    item = r"[ \t]*(?:-|[\"']?\d+[\"']?\s*:)[ \t]+\S.*(?:\n|$)"
    if found := re.search(rf"{_YAML_KEY}(?:#.*)?\n((?:{item}|[ \t]*\n)+)", text, re.M):
        pairs = re.findall(r"^[ \t]*(-|[\"']?\d+)[\"']?\s*:?[ \t]+(\S.*?)[ \t]*$", found[1], re.M)
        rows = [(number.strip("\"'"), _read_scalar(label)) for number, label in pairs]
        if rows:
            return "YAML", [label for _, label in rows] if rows[0][0] == "-" else dict(rows)
    return "", None


def _read_scalar(text: str) -> str:
    """A label in YAML, without quotes and without a trailing comment."""
    quoted = re.match(r"\"([^\"]*)\"|'([^']*)'", text)
    return (quoted[1] or quoted[2] or "") if quoted else re.sub(r"\s+#.*", "", text)


def _parse_rows(text: str) -> list[Any] | None:
    """The objects of a text with one object per row; None for any other text."""
    try:
        rows = [json.loads(row) for row in text.split("\n") if row.strip()]
    except (ValueError, RecursionError):
        return None
    return rows if all(isinstance(row, dict) for row in rows) else None


def _parse_literal(text: str) -> Any:
    if len(text) > _MAX_LITERAL:
        return None
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _find_inner(value: Any, depth: int = 0) -> Iterator[tuple[list[str], str]]:
    """Every list of labels within ``value``."""
    if not isinstance(value, dict) or depth > _MAX_DEPTH:
        return
    for inner in value.values():
        if isinstance(inner, (dict, list)) and (found := _from_value(inner)) is not None:
            yield found
        yield from _find_inner(inner, depth + 1)


def _from_value(value: Any) -> tuple[list[str], str] | None:
    """(the labels, the form that they had); None for an unknown form."""
    if isinstance(value, dict):
        return _from_object(value)
    if not isinstance(value, list):
        return None
    if all(isinstance(item, str) for item in value):
        return list(value), "list"
    if all(isinstance(item, dict) for item in value):
        names = [_pick(item, _NAME_KEYS) for item in value]
        indices = [as_index(_pick(item, _INDEX_KEYS)) for item in value]
        texts = [name for name in names if isinstance(name, str)]
        if len(texts) == len(value):
            given = [index for index in indices if index is not None]
            ordered = put_in_order(list(zip(given, texts, strict=False))) if len(given) == len(texts) else texts
            return (ordered, "list of objects") if ordered is not None else None
    if all(isinstance(item, list) and len(item) == 2 for item in value):
        return _from_pairs([(first, second) for first, second in value], "list of pairs")
    return None


def _from_object(value: dict[str, Any]) -> tuple[list[str], str] | None:
    inner = [value[key] for key in _LIST_KEYS if isinstance(value.get(key), (list, dict))]
    if not inner and len(value) == 1 and isinstance(next(iter(value.values())), (list, dict)):
        inner = list(value.values())
    if inner and (found := _from_value(inner[0])) is not None:
        return found
    pairs: list[tuple[Any, Any]] = []
    for key, label in value.items():
        plain = label[-1] if isinstance(label, list) and label else label
        if isinstance(label, dict):
            plain = _pick(label, _NAME_KEYS if as_index(key) is not None else _INDEX_KEYS)
        pairs.append((key, plain))
    return _from_pairs(pairs, "object")


def _from_pairs(pairs: list[tuple[Any, Any]], what: str) -> tuple[list[str], str] | None:
    for each, form in ((pairs, "{index: label}"), ([(b, a) for a, b in pairs], "{label: index}")):
        known = [(as_index(index), label) for index, label in each]
        labels = [(index, label) for index, label in known if index is not None and isinstance(label, str)]
        if len(labels) == len(pairs) and (ordered := put_in_order(labels, (0,))) is not None:
            return ordered, f"{what} of the form {form}"
    return None


def _pick(item: dict[str, Any], keys: Sequence[str]) -> Any:
    return next((item[key] for key in keys if item.get(key) is not None), None)
