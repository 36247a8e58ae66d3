"""The report page's section on training: warnings about the images, their counts, and the curves of the history.

The metrics.json that `train` writes has no fixed form: anything missing or of another form is left out.
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
    """A warning about images: some of the ``files`` concerned, and how many there are in all."""

    text: str
    files: tuple[str, ...]
    num: int


@dataclass(frozen=True)
class LearningSection:
    """What a share of the images teaches: a ``sentence`` and a chart, and what the second half brought each class."""

    sentence: str
    chart: str
    shares: Table
    classes: Table


@dataclass(frozen=True)
class TrainingSection:
    """The values for the template; ``warnings`` is None where nothing was checked, ``chart`` is SVG or empty."""

    warnings: tuple[DataWarning, ...] | None
    counts: Table | None
    chart: str
    temperature: Mapping[str, Any] | None
    learning: LearningSection | None = None


def describe_training(metrics: Mapping[str, Any]) -> TrainingSection | None:
    """The section of a run's ``metrics``; None when they hold none of it."""
    section = TrainingSection(
        warnings=_read_warnings(metrics.get("data_warnings")),
        counts=_count_images(metrics.get("class_counts")),
        chart=_draw_history(metrics.get("history"), metrics.get("best_epoch")),
        temperature=_read_temperature(metrics.get("temperature")),
        learning=_read_learning(metrics.get("learning_curve")),
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


def find_best_gain(curve: Any) -> tuple[str, float, float, float] | None:
    """The class that certainly gained most from the second half of the images, and the gain with its interval, in
    [-1, 1]; None where no gain is certain, or ``curve`` is not a learning curve.
    """
    gains = curve.get("class_gain") if isinstance(curve, Mapping) else None
    if not isinstance(gains, Mapping):
        return None
    sure = [(str(name), float(gain), float(low), float(high)) for name, (gain, low, high) in gains.items() if low > 0]
    return max(sure, key=lambda item: item[1]) if sure else None


def _read_learning(curve: Any) -> LearningSection | None:
    wanted = {"num_different", "accuracy", "interval", "class_gain", "sentence", "shares"}
    if not isinstance(curve, Mapping) or not wanted <= curve.keys():
        return None
    places, rates = tuple(map(float, curve["num_different"])), tuple(map(float, curve["accuracy"]))
    rows = [
        [f"{share:.0%}", f"{num:,.0f}", f"{rate:.1%}", f"{low:.1%} to {high:.1%}"]
        for share, num, rate, (low, high) in zip(curve["shares"], places, rates, curve["interval"], strict=True)
    ]
    gains = sorted(curve["class_gain"].items(), key=lambda item: -item[1][0])
    # Adding zero turns -0.0 into 0.0.
    classes = [
        [str(name), f"{100 * gain + 0.0:+.1f}", f"{100 * low:+.0f} to {100 * high:+.0f}"]
        for name, (gain, low, high) in gains
    ]
    return LearningSection(
        str(curve["sentence"]),
        draw_curves([Curve("accuracy", places, rates)], ("different images learnt from", "accuracy of the head alone")),
        Table(["share", "different images", "accuracy", "95 % interval"], rows),
        Table(["class", "points by the second half", "95 % interval"], classes),
    )


def _draw_history(history: Any, best: Any) -> str:
    """Accuracy by epoch, or by round of transfer learning, with a dot on the one whose weights were kept."""
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
