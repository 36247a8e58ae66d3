"""Plots as inline SVG: accuracy against a cost with the Pareto front, rates by epoch, and bars by name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 20, 16, 48
_LETTER = 6.4  # a letter's width at 12 px
_ALONE = """text { fill: #1d2327; font: 12px sans-serif; } .soft { fill: #5d6870; } .rule { stroke: #dcdfdf; }
polyline { fill: none; stroke-width: 2.5; } .one { stroke: #2f6fab; } .two { stroke: #b5651d; }
circle.one { fill: #2f6fab; }"""


@dataclass(frozen=True)
class Point:
    """A model: ``cost`` (less is better), ``rate`` in [0, 1] with its interval; ``kind`` is a colour of the
    page; what does not count is shown but makes no front.
    """

    name: str
    cost: float
    rate: float
    interval: tuple[float, float]
    kind: str = "one"
    counts: bool = True


def pareto(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points that no other one beats in both cost and rate, by rising cost."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -point.rate)):
        if not front or point.rate > front[-1].rate:
            front.append(point)
    return tuple(front)


def scatter(points: Sequence[Point], axis: str, *, front: bool = True) -> str:
    """Rate against cost on a logarithmic axis called ``axis``, intervals as bars, the Pareto front dashed."""
    costs = [point.cost for point in points]
    low, high = math.log(min(costs) / 1.25), math.log(max(costs) * 1.25)
    bottom = max(0.0, min(point.interval[0] for point in points) - 0.01)
    top = min(1.0, max(point.interval[1] for point in points) + 0.01)

    def x(cost: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (math.log(cost) - low) / (high - low)

    def y(rate: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (rate - bottom) / (top - bottom)

    parts = []
    for tick in _log_ticks(math.exp(low), math.exp(high)):
        parts.append(
            f'<line class="rule" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>'
            f'<text class="soft" x="{x(tick):.1f}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{_short(tick)}'
            "</text>"
        )
    for tick in _ticks(bottom, top):
        parts.append(
            f'<line class="rule" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
            f'<text class="soft" x="{_LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{100 * tick:g} %</text>'
        )
    if front:
        corners = " ".join(
            f"{x(point.cost):.1f},{y(point.rate):.1f}" for point in pareto([p for p in points if p.counts])
        )
        parts.append(f'<polyline class="front" points="{corners}"/>')
    for point in points:
        at = f"{x(point.cost):.1f}"
        parts.append(
            f'<line class="{point.kind}" opacity=".45" stroke-width="2" x1="{at}" x2="{at}" '
            f'y1="{y(point.interval[0]):.1f}" y2="{y(point.interval[1]):.1f}"/>'
            f'<circle class="{point.kind}" cx="{at}" cy="{y(point.rate):.1f}" r="5"><title>{escape(point.name)}: '
            f"{point.rate:.2%} at {point.cost:,.6g}</title></circle>"
        )
    parts += _labels([(point.name, x(point.cost), y(point.rate)) for point in points])
    parts.append(
        f'<text class="soft" x="{(_LEFT + WIDTH - _RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(axis)}</text>"
    )
    return _svg(HEIGHT, f"accuracy against {axis}", parts)


@dataclass(frozen=True)
class Curve:
    """Rates in [0, 1], one an epoch from epoch 1 on; ``marked`` is the epoch that gets a dot, 0 for none."""

    name: str
    rates: tuple[float, ...]
    kind: str
    marked: int = 0


def curves(found: Sequence[Curve], axis: str) -> str:
    """Rates by number, the numbers on an axis called ``axis``."""
    num = max(len(curve.rates) for curve in found)
    rates = [rate for curve in found for rate in curve.rates]
    bottom, top = max(0.0, min(rates) - 0.02), min(1.0, max(rates) + 0.02)
    right = WIDTH - 90  # the names stand behind the last points

    def x(epoch: float) -> float:
        return _LEFT + (right - _LEFT) * (epoch - 1) / max(1, num - 1)

    def y(rate: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (rate - bottom) / (top - bottom)

    parts = []
    for tick in _ticks(bottom, top):
        parts.append(
            f'<line class="rule" x1="{_LEFT}" x2="{right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
            f'<text class="soft" x="{_LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{100 * tick:g} %</text>'
        )
    for epoch in sorted({1, *range(max(1, num // 8), num, max(1, num // 8))}):
        parts.append(
            f'<text class="soft" x="{x(epoch):.1f}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{epoch}</text>'
        )
    ends = [y(curve.rates[-1]) for curve in found]
    for number, curve in enumerate(found):
        line = " ".join(f"{x(epoch):.1f},{y(rate):.1f}" for epoch, rate in enumerate(curve.rates, start=1))
        parts.append(f'<polyline class="{curve.kind}" points="{line}"/>')
        if curve.marked:
            at = f'cx="{x(curve.marked):.1f}" cy="{y(curve.rates[curve.marked - 1]):.1f}"'
            parts.append(f'<circle class="{curve.kind}" {at} r="5"/>')
        above = sum(abs(ends[number] - other) < 14 for other in ends[:number])
        parts.append(f'<text x="{x(len(curve.rates)) + 8:.1f}" y="{ends[number] + 4 + 14 * above:.1f}">')
        parts.append(f"{escape(curve.name)}</text>")
    parts.append(f'<text class="soft" x="{(_LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">')
    parts.append(f"{escape(axis)}</text>")
    return _svg(HEIGHT, f"rates by {axis}", parts)


def alone(svg: str) -> str:
    """An SVG of this module as a file of its own, on white."""
    head = '<svg xmlns="http://www.w3.org/2000/svg" '
    start = svg.index(">") + 1
    frame = svg[:start].replace("<svg ", head, 1)
    return f'{frame}<style>{_ALONE}</style><rect width="100%" height="100%" fill="#fff"/>{svg[start:]}\n'


def bars(rows: Sequence[tuple[str, float, str]], unit: str) -> str:
    """One horizontal bar a row (name, value, kind), from 0 or the lowest value on."""
    step, left = 22, 150
    low, high = min(0.0, *(value for _, value, _ in rows)), max(1e-9, *(value for _, value, _ in rows))

    def x(value: float) -> float:
        return left + (WIDTH - left - 70) * (value - low) / (high - low)

    parts = []
    for number, (name, value, kind) in enumerate(rows):
        top = 6 + step * number
        start, end = sorted((x(0.0), x(value)))
        parts.append(
            f'<text x="{left - 8}" y="{top + 13}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="{kind}" x="{start:.1f}" y="{top}" width="{max(1.0, end - start):.1f}" height="{step - 6}"/>'
            f'<text class="soft" x="{end + 6:.1f}" y="{top + 13}">{value:.1f} {escape(unit)}</text>'
        )
    return _svg(12 + step * len(rows), unit, parts)


def _svg(height: int, label: str, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def _labels(points: Sequence[tuple[str, float, float]]) -> list[str]:
    """Each name at the free place nearest to its point."""
    taken = [(x - 5, y - 5, x + 5, y + 5) for _, x, y in points]
    parts = []
    for name, x, y in points:
        if not name:
            continue
        wide = _LETTER * len(name)
        boxes = []
        for rise in (0, -14, 14, -28, 28, -42, 42, -56, 56, -70, 70, -84, 84):
            for left in (x + 9, x - 9 - wide, x - wide / 2):
                if (left >= _LEFT and left + wide <= WIDTH - 2) and _TOP <= y + rise <= HEIGHT - _BOTTOM:
                    boxes.append((left, y + rise - 7, left + wide, y + rise + 7))
        free = next((box for box in boxes if not any(_overlap(box, other) for other in taken)), None)
        box = free or (boxes[0] if boxes else (x + 9, y - 7, x + 9 + wide, y + 7))
        taken.append(box)
        if abs((box[1] + box[3]) / 2 - y) > 7:
            near = min(max(x, box[0]), box[2])
            parts.append(
                f'<line class="rule" x1="{x:.1f}" y1="{y:.1f}" x2="{near:.1f}" y2="{(box[1] + box[3]) / 2:.1f}"/>'
            )
        parts.append(f'<text x="{box[0]:.1f}" y="{box[3] - 3:.1f}">{escape(name)}</text>')
    return parts


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _ticks(low: float, high: float) -> list[float]:
    step = next(s for s in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if (high - low) / s <= 8)
    return [round(step * number, 4) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0**decade for decade in decades for factor in (1, 2, 5)]
    if high / low < 3:
        ticks = [factor * 10.0**decade for decade in decades for factor in (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8)]
    return [tick for tick in ticks if low <= tick <= high]


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"
