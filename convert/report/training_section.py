"""The report page's part on training: warnings about the images, their counts, and the curves of the history.

What `train` writes into metrics.json is free-form: what is missing or of another form is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convert.output.page import Table
from convert.output.plot import Curve, Kind, draw_curves

_SPLIT_ORDER = ("train", "validation", "test")
_CURVES: tuple[tuple[str, str, Kind], ...] = (
    ("train_accuracy", "training", "two"),
    ("validation_accuracy", "validation", "one"),
)


@dataclass(frozen=True)
class DataWarning:
    """A warning about images: some of the ``files`` that it concerns, and how many it concerns in all."""

    text: str
    files: tuple[str, ...]
    num: int


@dataclass(frozen=True)
class TrainingSection:
    """What the template says; ``warnings`` is None where nobody looked, ``chart`` is SVG or empty."""

    warnings: tuple[DataWarning, ...] | None
    counts: Table | None
    chart: str
    temperature: Mapping[str, Any] | None


def describe_training(metrics: Mapping[str, Any]) -> TrainingSection | None:
    """The section of a run's ``metrics``; None when they hold none of it."""
    section = TrainingSection(
        warnings=_read_warnings(metrics.get("data_warnings")),
        counts=_count_images(metrics.get("class_counts")),
        chart=_draw_history(metrics.get("history"), metrics.get("best_epoch")),
        temperature=_read_temperature(metrics.get("temperature")),
    )
    return None if section == TrainingSection(None, None, "", None) else section


def _read_warnings(items: Any) -> tuple[DataWarning, ...] | None:
    if not isinstance(items, list) or not all(isinstance(item, Mapping) and "text" in item for item in items):
        return None
    found = []
    for item in items:
        files = tuple(str(name) for name in item.get("files", ()))
        found.append(DataWarning(str(item["text"]), files, max(len(files), int(item.get("num", len(files))))))
    return tuple(found)


def _count_images(counts: Any) -> Table | None:
    if not isinstance(counts, Mapping) or not counts:
        return None
    splits = sorted(counts, key=_SPLIT_ORDER.index) if set(counts) <= set(_SPLIT_ORDER) else list(counts)
    labels = list(counts[splits[0]])
    body = [[str(label), *(f"{int(counts[split].get(label, 0)):,}" for split in splits)] for label in labels]
    return Table(["class", *map(str, splits)], body)


def _read_temperature(fit: Any) -> Mapping[str, Any] | None:
    wanted = {"temperature", "error_before", "error_after", "num_images"}
    return fit if isinstance(fit, Mapping) and wanted <= fit.keys() else None


def _draw_history(history: Any, best: Any) -> str:
    """Accuracy by epoch, or by round of transfer learning, a dot on the one whose weights were kept."""
    if not isinstance(history, list) or not all(isinstance(row, Mapping) for row in history):
        return ""
    name = "round" if any("round" in row for row in history) else "epoch"
    curves = []
    for key, words, kind in _CURVES:
        rows = [(float(row[name]), float(row[key])) for row in history if key in row and name in row]
        places, rates = tuple(place for place, _ in rows), tuple(rate for _, rate in rows)
        kept = places.index(best) if key == "validation_accuracy" and best in places else None
        if len(rows) > 1:
            curves.append(Curve(words, places, rates, kind, kept))
    axis = "accuracy" if len(curves) != 1 else f"{curves[0].name} accuracy"
    return draw_curves(curves, (name, axis)) if curves else ""
