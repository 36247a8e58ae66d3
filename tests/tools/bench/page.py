"""The races as a Markdown table and as one SVG chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convert.output.plot import Bar, draw_bars
from tests.tools.bench.race import Timing


def measure_ratio(timings: Sequence[Timing], timing: Timing) -> float:
    """The median of ``timing`` relative to that of the first in its race."""
    return timing.p50_us / timings[0].p50_us


def to_markdown(races: Mapping[str, Sequence[Timing]], machine: str) -> str:
    """One table per race, times in microseconds; ``machine`` says where they were measured."""
    lines = [
        f"Microseconds per frame, one thread, {machine}; ratios of medians against the first row of each part.",
        "",
    ]
    for title, timings in races.items():
        lines += [f"### {title}", "", "| contender | p50 | p95 | ratio |", "|---|---|---|---|"]
        for timing in timings:
            if timing.failure:
                lines.append(f"| {timing.name} | – | – | {timing.failure.replace('|', ' ')} |")
            else:
                cells = f"{timing.p50_us:,.0f} | {timing.p95_us:,.0f} | {measure_ratio(timings, timing):.2f}"
                lines.append(f"| {timing.name} | {cells} |")
        lines.append("")
    return "\n".join(lines)


def to_svg(races: Mapping[str, Sequence[Timing]]) -> str:
    """Bars of the ratios as an SVG file, one panel per race; contenders that did not run are left out."""
    groups = {}
    for title, timings in races.items():
        groups[title] = [
            Bar(
                timing.name,
                measure_ratio(timings, timing),
                "one" if timing.name.startswith("edge_runtime") else "three",
            )
            for timing in timings
            if not timing.failure
        ]
    shown = {title: bars for title, bars in groups.items() if bars}
    return draw_bars(shown, "median time against the first row", digits=2, alone=True)
