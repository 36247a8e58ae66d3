"""The report page's part on training: warnings about the pictures, their counts, and the curves of the history.

What `train` writes into metrics.json is free-form: what is missing or of another form is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_SPLIT_ORDER = ("train", "validation", "test")
_LEFT, _TOP, _WIDTH, _HEIGHT = 56, 12, 560, 200
_CURVES = (("train_accuracy", "training", "curve soft-curve"), ("validation_accuracy", "validation", "curve"))


def training_section(metrics: Mapping[str, Any]) -> str:
    """HTML, empty when ``metrics`` holds none of it."""
    parts = [_warnings(metrics.get("data_warnings")), _counts(metrics.get("class_counts"))]
    parts += [_history(metrics.get("history"), metrics.get("best_epoch")), _temperature(metrics.get("temperature"))]
    found = "".join(parts)
    return f"<h2>Pictures and training</h2>{found}" if found else ""


def _warnings(items: Any) -> str:
    if not isinstance(items, list) or not all(isinstance(item, Mapping) and "text" in item for item in items):
        return ""
    if not items:
        return "<p>No warning about the pictures.</p>"
    listed = []
    for item in items:
        files = [str(name) for name in item.get("files", ())]
        more = int(item.get("num", len(files))) - len(files)
        names = "".join(f"<li>{escape(name)}</li>" for name in files) + (
            f"<li>and {more} more</li>" if more > 0 else ""
        )
        inner = (
            f"<details><summary>{len(files) + max(0, more)} files</summary><ul>{names}</ul></details>" if names else ""
        )
        listed.append(f"<li>{escape(str(item['text']))}{inner}</li>")
    return f"<h3>Warnings about the pictures</h3><ul>{''.join(listed)}</ul>"


def _counts(counts: Any) -> str:
    if not isinstance(counts, Mapping) or not counts:
        return ""
    splits = sorted(counts, key=_SPLIT_ORDER.index) if set(counts) <= set(_SPLIT_ORDER) else list(counts)
    labels = list(counts[splits[0]])
    head = "".join(f"<th>{escape(str(cell))}</th>" for cell in ("class", *splits))
    rows = "".join(
        f"<tr><td>{escape(str(label))}</td>"
        + "".join(f"<td>{int(counts[s].get(label, 0)):,}</td>" for s in splits)
        + "</tr>"
        for label in labels
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _temperature(fit: Any) -> str:
    if not isinstance(fit, Mapping) or not {"temperature", "error_before", "error_after", "num_images"} <= fit.keys():
        return ""
    return (
        f"<p>A temperature of {fit['temperature']:.2f}, folded into the last layer, takes the calibration error of the "
        f"float model on {fit['num_images']:,} validation pictures from {fit['error_before']:.1%} to "
        f"{fit['error_after']:.1%}.</p>"
    )


def _history(history: Any, best: Any) -> str:
    if not isinstance(history, list) or not all(isinstance(row, Mapping) for row in history):
        return ""
    series = [
        (name, kind, [(index, float(row[key])) for index, row in enumerate(history) if key in row])
        for key, name, kind in _CURVES
    ]
    series = [(name, kind, points) for name, kind, points in series if len(points) > 1]
    if not series:
        return ""
    return _plot(series, len(history), [row.get("round", row.get("epoch", "")) for row in history], best)


def _plot(series: Sequence[tuple[str, str, list[tuple[int, float]]]], num: int, names: Sequence[Any], best: Any) -> str:
    bottom = max(0.0, int(min(value for _, _, points in series for _, value in points) * 20) / 20 - 0.05)

    def x(index: float) -> float:
        return _LEFT + _WIDTH * index / max(1, num - 1)

    def y(rate: float) -> float:
        return _TOP + _HEIGHT * (1 - (rate - bottom) / (1 - bottom))

    marks = []
    for tick in range(5):
        rate = bottom + (1 - bottom) * tick / 4
        marks.append(f'<line class="rule" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y(rate):.1f}" y2="{y(rate):.1f}"/>')
        marks.append(f'<text x="{_LEFT - 6}" y="{y(rate) + 4:.1f}" text-anchor="end">{rate:.0%}</text>')
    for index in range(0, num, max(1, num // 8)):
        marks.append(f'<text x="{x(index):.1f}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{names[index]}</text>')
    for name, kind, points in series:
        line = " ".join(f"{x(index):.1f},{y(value):.1f}" for index, value in points)
        end_x, end_y = x(points[-1][0]), y(points[-1][1])
        marks.append(f'<polyline class="{kind}" points="{line}"/>')
        marks.append(f'<text x="{end_x + 6:.1f}" y="{end_y + 4:.1f}">{name}</text>')
        if best in names and name == "validation":
            index = names.index(best)
            marks += [f'<circle cx="{x(i):.1f}" cy="{y(value):.1f}" r="5"/>' for i, value in points if i == index]
    size = f'viewBox="0 0 {_LEFT + _WIDTH + 90} {_TOP + _HEIGHT + 28}" width="{_LEFT + _WIDTH + 90}"'
    return (
        '<p class="soft">Accuracy by epoch or round; the dot is the one whose weights were kept.</p>'
        f'<svg {size} style="max-width: 100%; height: auto" role="img" aria-label="Training history">'
        f"{''.join(marks)}</svg>"
    )
