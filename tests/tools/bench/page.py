"""The races as a Markdown table and as one SVG plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from tests.tools.bench.race import Timing

WIDTH, ROW, LABEL = 900, 22, 330


def ratio(timings: Sequence[Timing], timing: Timing) -> float:
    """Medians: ``timing`` against the first of its race."""
    return timing.p50_us / timings[0].p50_us


def to_markdown(races: Mapping[str, Sequence[Timing]], machine: str) -> str:
    lines = [f"Microseconds a frame, one thread, {machine}; ratios of medians against the first row of each part.", ""]
    for title, timings in races.items():
        lines += [f"### {title}", "", "| contender | p50 | p95 | ratio |", "|---|---|---|---|"]
        for timing in timings:
            if timing.failure:
                lines.append(f"| {timing.name} | – | – | {timing.failure.replace('|', ' ')} |")
            else:
                cells = f"{timing.p50_us:,.0f} | {timing.p95_us:,.0f} | {ratio(timings, timing):.2f}"
                lines.append(f"| {timing.name} | {cells} |")
        lines.append("")
    return "\n".join(lines)


def to_svg(races: Mapping[str, Sequence[Timing]]) -> str:
    """Bars of the ratios, one group a race; each group's longest bar fills the width."""
    parts, y = [], 10
    for title, timings in races.items():
        y += 24
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{escape(title)}</text>')
        y += 8
        done = [timing for timing in timings if not timing.failure]
        longest = max((ratio(timings, timing) for timing in done), default=1.0)
        for timing in done:
            value = ratio(timings, timing)
            length = (WIDTH - LABEL - 70) * value / longest
            colour = "#1f6fb2" if timing.name.startswith("edge_runtime") else "#9aa5b1"
            parts.append(
                f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end">{escape(timing.name)}</text>'
                f'<rect x="{LABEL}" y="{y + 3}" width="{length:.1f}" height="{ROW - 6}" fill="{colour}"/>'
                f'<text x="{LABEL + length + 6:.1f}" y="{y + 15}">{value:.2f}</text>'
            )
            y += ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 16}" width="{WIDTH}" '
        f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )
