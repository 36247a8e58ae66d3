"""The comparison as one HTML page: the recommendation, two plots with their Pareto fronts, and the tables."""

from __future__ import annotations

from html import escape

from convert.compare.rows import Comparison, Row, accuracy_table, latency_table, recommend, refusal_lines, size_table
from convert.compare.variants import OTHER, PRUNED
from convert.output.page import document, table
from convert.output.plot import Point, scatter

_KINDS = {PRUNED: "two", OTHER: "three"}


def render(comparison: Comparison) -> str:
    """The page."""
    chosen, why = recommend(comparison)
    marked = comparison.rows.index(chosen)
    backend, threads = comparison.backends[0], comparison.threads[0]
    sizes = [_point(row, row.file_bytes) for row in comparison.rows]
    times = [(row, row.timing(backend, threads)) for row in comparison.rows]
    latencies = [_point(row, timing.p50_ms) for row, timing in times if timing is not None]
    problems = refusal_lines(comparison)
    parts = [
        f"<h1>{escape(comparison.run)}: which form?</h1>",
        f'<p class="answer">{escape(why)}</p>',
        f'<p class="soft">{comparison.num_images:,} held-out test images; {comparison.num_calibration_images} '
        f"calibration images; times on {escape(comparison.processor)}, the models taking turns in one process. "
        "Blue: the same weights. Orange: pruned copies. Grey: other architectures on the same data. Bars: 95 % "
        "intervals. Dashed: the Pareto front, what nothing else beats in both.</p>",
        '<div class="pair">',
        f'<div class="card"><h2>Accuracy against size</h2>{scatter(sizes, "bytes of the file")}</div>',
        f'<div class="card"><h2>Accuracy against latency</h2>{scatter(latencies, _axis(backend, threads))}</div>',
        "</div>",
        "<h2>Accuracy</h2>",
        table(*accuracy_table(comparison), marked=marked),
        "<h2>Size</h2>",
        table(*size_table(comparison), marked=marked),
        '<p class="soft">Arena: the activations as the interpreter places them, without scratch memory of single '
        "kernels. Zero weights make no file smaller and no call faster; they help only where files are compressed."
        "</p>",
        "<h2>Latency</h2>",
        table(*latency_table(comparison), marked=marked),
        f"<p>{escape(comparison.reference_text)}</p>" if comparison.reference_text else "",
        "<h2>What each form is</h2>",
        table(["form", "group", "how"], [[row.name, row.group, row.how] for row in comparison.rows], words=(2,)),
    ]
    if problems:
        parts += [
            "<h2>What could not be made or run</h2><ul>",
            *(f"<li>{escape(line)}</li>" for line in problems),
            "</ul>",
        ]
    return document(f"{comparison.run}: comparison", parts)


def _axis(backend: str, threads: int) -> str:
    return f"milliseconds a picture, {backend}, {threads} thread{'s' if threads > 1 else ''}"


def _point(row: Row, cost: float) -> Point:
    return Point(row.name, cost, row.accuracy.accuracy, row.accuracy.interval, _KINDS.get(row.group, "one"))
