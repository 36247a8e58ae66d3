"""The comparison as one HTML page: the recommendation, two charts with their Pareto fronts, and the tables."""

from __future__ import annotations

from pathlib import Path

from convert.compare.rows import (
    Comparison,
    Row,
    list_problems,
    recommend,
    tabulate_accuracy,
    tabulate_latency,
    tabulate_sizes,
)
from convert.compare.variants import OTHER, PRUNED
from convert.output.page import Table, count, render_page
from convert.output.plot import Kind, Point, draw_scatter

_KINDS: dict[str, Kind] = {PRUNED: "two", OTHER: "three"}
_TEMPLATE = Path(__file__).parent / "templates" / "compare.html"


def render(comparison: Comparison) -> str:
    """The self-contained page."""
    chosen, why = recommend(comparison)
    marked = comparison.rows.index(chosen)
    backend, threads = comparison.backends[0], comparison.threads[0]
    times = [(row, row.timing(backend, threads)) for row in comparison.rows]
    sizes = [_make_point(row, row.file_bytes) for row in comparison.rows]
    latencies = [_make_point(row, timing.p50_ms) for row, timing in times if timing is not None]
    time_axis = f"ms per image, {backend}, {count(threads, 'thread')}"
    return render_page(
        _TEMPLATE,
        title=f"{comparison.run}: comparison of variants",
        run=comparison.run,
        why=why,
        num_images=comparison.num_images,
        num_calibration_images=comparison.num_calibration_images,
        processor=comparison.processor,
        size_chart=draw_scatter(sizes, ("size of the file, bytes", "accuracy")),
        latency_chart=draw_scatter(latencies, (time_axis, "accuracy")) if latencies else "",
        accuracies=Table(*tabulate_accuracy(comparison), marked=marked),
        sizes=Table(*tabulate_sizes(comparison), marked=marked),
        latencies=Table(*tabulate_latency(comparison), marked=marked),
        variants=Table(
            ["variant", "group", "how"],
            [[row.name, row.group, row.how] for row in comparison.rows],
            words=(2,),
            names=(1,),
        ),
        problems=list_problems(comparison),
    )


def _make_point(row: Row, cost: float) -> Point:
    return Point(row.name, cost, row.accuracy.accuracy, row.accuracy.interval, _KINDS.get(row.group, "one"))
