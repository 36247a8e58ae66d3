"""Every chart of the host: curves, bars, intervals, a scatter plot with its Pareto front, a confusion matrix; all SVG.

A chart gets plain values and axis labels; it never knows what was measured. Colours are roles of `theme`.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from convert.output.place import Span, place_names
from convert.output.svg import SETTINGS, WIDTH, make_figure, to_svg
from convert.output.theme import LIGHT

Kind = Literal["one", "two", "three", "good", "bad", "soft"]
_MARKERS = {"one": "o", "two": "D", "three": "s"}
_STYLE: list[str | Path | dict[str, Any]] = ["default", SETTINGS]


@dataclass(frozen=True)
class Curve:
    """Rates in [0, 1] over ``places`` on the x axis, a single one as a dot; ``marked`` is the index of the point that
    gets a dot.
    """

    name: str
    places: tuple[float, ...]
    rates: tuple[float, ...]
    kind: Kind = "one"
    marked: int | None = None


@dataclass(frozen=True)
class Point:
    """A model: ``cost`` (less is better), ``rate`` in [0, 1] with its interval; ``kind`` is a colour; a point that does
    not count is shown but is not on the front. A point without a name shows ``tip`` under the pointer.
    """

    name: str
    cost: float
    rate: float
    interval: tuple[float, float]
    kind: Kind = "one"
    counts: bool = True
    tip: str = ""


@dataclass(frozen=True)
class Bar:
    """One bar: its name, its value, and its colour."""

    name: str
    value: float
    kind: Kind = "one"


def draw_curves(
    curves: Sequence[Curve],
    axes: tuple[str, str],
    *,
    share: bool = False,
    wanted: tuple[str, float] | None = None,
    alone: bool = False,
) -> str:
    """Rates over the numbers of an x axis; ``axes`` names x and y. ``share``: the x axis is a share in [0, 1] too.
    ``wanted`` is a named rate, drawn dashed. ``alone``: a standalone SVG file.
    """
    with matplotlib.style.context(_STYLE):
        figure = make_figure(300)
        plot = figure.add_subplot(xlabel=axes[0], ylabel=axes[1])
        for curve in curves:
            single = len(curve.places) == 1
            line: dict[str, Any] = {"marker": "o", "markersize": 8, "linewidth": 0} if single else {"linewidth": 2.2}
            plot.plot(curve.places, curve.rates, color=LIGHT[curve.kind], label=curve.name, clip_on=not single, **line)
            if curve.marked is not None:
                at = curve.places[curve.marked], curve.rates[curve.marked]
                plot.plot(*at, "o", color=LIGHT[curve.kind], markersize=8, clip_on=False, zorder=4)
        if wanted is not None:
            plot.axhline(wanted[1], color=LIGHT["good"], linestyle=(0, (5, 4)), label=wanted[0])
        rates = [rate for curve in curves for rate in curve.rates] + ([wanted[1]] if wanted else [])
        _scale_rates(plot, min(rates), max(rates))
        if share:
            plot.set_xlim(0, 1)
            plot.xaxis.set_major_formatter(FuncFormatter(_say_rate))
        else:
            places = sorted({place for curve in curves for place in curve.places})
            room = max(0.5, 0.03 * (places[-1] - places[0]))
            plot.set_xlim(places[0] - room, places[-1] + room)
            plot.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
        if len(curves) > 1 or wanted:
            add_legend(figure)
        return to_svg(figure, f"{axes[1]} over {axes[0]}", alone=alone)


def add_legend(figure: Figure) -> None:
    """Names the curves above the plot, in as many columns as fit the width."""
    for columns in (3, 2, 1):
        legend = figure.legend(
            loc="outside upper left", ncols=columns, handlelength=1.4, columnspacing=1.4, borderaxespad=0.2
        )
        figure.draw_without_rendering()
        if legend.get_window_extent().width <= figure.bbox.width or columns == 1:
            return
        legend.remove()


def find_pareto(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points that no other point beats in both cost and rate, by rising cost."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -point.rate)):
        if not front or point.rate > front[-1].rate:
            front.append(point)
    return tuple(front)


def draw_scatter(points: Sequence[Point], axes: tuple[str, str], *, front: bool = True) -> str:
    """Rate against cost on a logarithmic axis, the intervals as bars, the Pareto front dashed. Names without room
    beside their points become numbers with a key below.
    """
    named = [point for point in points if point.name]
    with matplotlib.style.context(_STYLE):
        figure = _scatter_figure(points, axes, front, rows=0)
        spots = [(point.cost, point.rate) for point in named]
        if not place_names(figure.axes[0], [point.name for point in named], spots, _obstacles(points)):
            columns = 2 if max(len(point.name) for point in named) <= 24 else 1
            rows = math.ceil(len(named) / columns)
            figure = _scatter_figure(points, axes, front, rows=rows)
            numbers = [str(number) for number in range(1, len(named) + 1)]
            place_names(figure.axes[0], numbers, spots, _obstacles(points), must=True)
            for index, point in enumerate(named):
                where = 12 + (index // rows) * WIDTH / columns, 18 * (rows - index % rows) - 10
                text = textwrap.shorten(f"{index + 1} {point.name}", 56, placeholder=" …")
                figure.text(where[0] / WIDTH, where[1] / (72 * figure.get_figheight()), text, fontsize=12)
        tips = {f"point{index}": _tip(point) for index, point in enumerate(points)}
        return to_svg(figure, f"{axes[1]} against {axes[0]}", tips)


def _tip(point: Point) -> str:
    return f"{point.tip or point.name}: {point.rate:.2%} at {point.cost:,.6g}"


def _scatter_figure(points: Sequence[Point], axes: tuple[str, str], front: bool, rows: int) -> Figure:
    """The plot without names, with room for ``rows`` lines of a key below."""
    height = 340 + (18 * rows + 8 if rows else 0)
    figure = make_figure(height)
    if rows:
        share = (18 * rows + 8) / height
        figure.get_layout_engine().set(rect=(0, share, 1, 1 - share))  # type: ignore[union-attr, call-arg]
    plot = figure.add_subplot(xlabel=axes[0], ylabel=axes[1], xscale="log")
    costs = [point.cost for point in points]
    low, high = min(costs) / 1.25, max(costs) * 1.25
    plot.set_xlim(low, high)
    plot.xaxis.set_major_locator(FixedLocator(_choose_log_ticks(low, high)))
    plot.xaxis.set_minor_locator(NullLocator())
    plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _shorten(value)))
    _scale_rates(plot, min(point.interval[0] for point in points), max(point.interval[1] for point in points))
    for index, point in enumerate(points):
        colour = LIGHT[point.kind]
        plot.plot([point.cost] * 2, point.interval, color=colour, alpha=0.45, linewidth=2)
        marker = _MARKERS.get(point.kind, "o")
        plot.plot(point.cost, point.rate, marker, color=colour, markersize=7, zorder=4, gid=f"point{index}")
    if front:
        best = find_pareto([point for point in points if point.counts])
        line = [point.cost for point in best], [point.rate for point in best]
        plot.plot(*line, color=LIGHT["soft"], linestyle=(0, (5, 4)), linewidth=1, zorder=1.5)
    return figure


def _obstacles(points: Sequence[Point]) -> list[Span]:
    """What a name may not cover: the point of each, and its interval from end to end."""
    return [((p.cost, min(p.rate, p.interval[0])), (p.cost, max(p.rate, p.interval[1]))) for p in points]


def draw_bars(groups: Mapping[str, Sequence[Bar]], axis: str, *, digits: int = 1, alone: bool = False) -> str:
    """Horizontal bars from 0 with their values at their ends: one panel per group, each with its own scale, under its
    title ("" for none).
    """
    names = {title: [textwrap.fill(bar.name, 26) for bar in bars] for title, bars in groups.items()}
    lines = {title: max((name.count("\n") + 1 for name in found), default=1) for title, found in names.items()}
    heights = [
        len(bars) * (10 + 15 * lines[title]) + 15 * len(textwrap.wrap(title, 30)) for title, bars in groups.items()
    ]
    with matplotlib.style.context(_STYLE):
        figure = make_figure(sum(heights) + 12 * len(heights) + 46)
        panels = figure.subplots(len(groups), squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
        for plot, (title, bars) in zip(panels, groups.items(), strict=True):
            rows = range(len(bars))
            colours = [LIGHT[bar.kind] for bar in bars]
            drawn = plot.barh(rows, [bar.value for bar in bars], 0.7, color=colours)
            plot.bar_label(drawn, [f"{bar.value:.{digits}f}" for bar in bars], padding=4, color=LIGHT["soft"])
            plot.set_yticks(rows, names[title], color=LIGHT["ink"])
            plot.set_ylim(len(bars) - 0.4, -0.6)
            low, high = min(0.0, *(bar.value for bar in bars)), max(1e-9, *(bar.value for bar in bars))
            plot.set_xlim(low - (0.2 * (high - low) if low < 0 else 0), high + 0.2 * (high - low))
            plot.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            plot.grid(False, axis="y")
            plot.tick_params(axis="y", length=0)
            if title:
                plot.set_title(textwrap.fill(title, 30))
        panels[-1].set_xlabel(textwrap.fill(axis, 32))
        return to_svg(figure, axis, alone=alone)


def draw_intervals(rows: Sequence[tuple[str, float, tuple[float, float]]], axis: str) -> str:
    """A dot with its interval for each row (name, rate in [0, 1], interval), on one axis."""
    with matplotlib.style.context(_STYLE):
        figure = make_figure(56 + 34 * len(rows))
        plot = figure.add_subplot(xlabel=axis)
        for index, (_, rate, interval) in enumerate(rows):
            plot.plot(interval, [index] * 2, color=LIGHT["one"], linewidth=3, alpha=0.6)
            plot.plot(rate, index, "o", color=LIGHT["one"], markersize=9, zorder=4)
        plot.set_yticks(range(len(rows)), [textwrap.fill(name, 26) for name, _, _ in rows], color=LIGHT["ink"])
        plot.set_ylim(len(rows) - 0.5, -0.5)
        plot.grid(False, axis="y")
        plot.tick_params(axis="y", length=0)
        low, high = min(span[0] for _, _, span in rows), max(span[1] for _, _, span in rows)
        plot.set_xlim(max(0.0, low - 0.01), min(1.005, high + 0.01))
        plot.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        plot.xaxis.set_major_formatter(FuncFormatter(_say_rate))
        return to_svg(figure, axis)


def draw_confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A confusion matrix of counts: rows are the truth, columns the answers; the colour is the share of its row."""
    num = len(labels)
    names = [textwrap.fill(label, 16) for label in labels]
    lines = max(name.count("\n") + 1 for name in names)
    widest = max(len(line) for name in names for line in name.split("\n"))
    cell = max((WIDTH - 60 - 7 * widest) / num, 8 * len(str(max(max(row) for row in counts))) + 6, 13.0 * lines)
    side = cell * num + 50 + 7 * widest
    with matplotlib.style.context(_STYLE):
        figure = make_figure(side, side)
        plot = figure.add_subplot(xlabel="answer", ylabel="truth", aspect="equal")
        for row, found in enumerate(counts):
            for column, count in enumerate(found):
                if count:
                    # Not darker than 0.55, so that text on it is readable in both themes.
                    shade = 0.04 + 0.51 * count / sum(found)
                    kind = LIGHT["one" if row == column else "two"]
                    plot.add_patch(Rectangle((column, row), 1, 1, facecolor=kind, alpha=shade, edgecolor="none"))
                    plot.text(column + 0.5, row + 0.5, str(count), ha="center", va="center", fontsize=11)
        middles = [index + 0.5 for index in range(num)]
        plot.set_xticks(middles, names, rotation=90 if 7 * widest > cell else 0, color=LIGHT["ink"])
        plot.set_yticks(middles, names, color=LIGHT["ink"])
        plot.set(xlim=(0, num), ylim=(num, 0))
        plot.tick_params(length=0)
        plot.grid(False)
        for edge in range(num + 1):
            plot.axhline(edge, color=LIGHT["line"], linewidth=0.8)
            plot.axvline(edge, color=LIGHT["line"], linewidth=0.8)
        return to_svg(figure, f"confusion matrix of {num} classes")


def _scale_rates(plot: Axes, low: float, high: float) -> None:
    """Sets the y axis for rates from ``low`` to ``high`` with some room, in round percentages."""
    room = max(0.01, 0.05 * (high - low))
    plot.set_ylim(max(0.0, low - room), min(1.0 + 0.2 * room, high + room))
    plot.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    plot.yaxis.set_major_formatter(FuncFormatter(_say_rate))


def _choose_log_ticks(low: float, high: float) -> list[float]:
    """At most seven round numbers between ``low`` and ``high`` on a logarithmic axis."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8), (1, 2, 5), (1, 3), (1,)):
        ticks = [factor * 10.0**decade for decade in decades for factor in factors]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= 7:
            return ticks
    return ticks[:: math.ceil(len(ticks) / 7)]


def _say_rate(rate: float, _: int) -> str:
    return f"{round(100 * rate, 6):g} %"


def _shorten(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"
