"""Several sizes of one model side by side: accuracy, field test, bytes and time of each, and one recommendation.

Usage: python -m convert.compare.sizes build/mine-tiny.tflite build/mine-small.tflite build/mine-full.tflite
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.measure.latency import time_models
from convert.measure.processor import read_processor_name
from convert.output.atomic import write_text_atomically
from convert.output.page import Table, render_markdown_table, render_page
from convert.output.plot import Point, draw_scatter
from convert.output.progress import stage
from edge_runtime.cli.verb_parser import VerbParser, add_quiet_flag
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.system.command import run_command
from edge_runtime.system.quiet_start import silence_stderr

_TEMPLATE = Path(__file__).parent / "templates" / "sizes.html"
# How far a smaller size may be behind in the field test; it must also be within the interval of the most accurate one.
LITTLE = 0.02


@dataclass(frozen=True)
class Size:
    """One size: rates in [0, 1] on the first backend of its report, ``field`` the mean over the scenes of the field
    test (None without one), ``unknown`` the share of foreign images that are called unknown (None without any);
    ``time_ratio`` is relative to the first size. A refused size has ``refusal`` and no file.
    """

    name: str
    accuracy: float
    interval: tuple[float, float]
    field: float | None
    worst: str
    unknown: float | None
    file_bytes: int
    macs: int
    p50_ms: float
    time_ratio: float
    refusal: str = ""


def read_sizes(paths: Sequence[Path], seconds: float) -> tuple[Size, ...]:
    """The Size of each model at ``paths``, from the report beside it; the models take turns for ``seconds`` of timing.

    Raises:
        MissingInputError: there is no report.
        DataError: the models differ in labels or in the number of test images, so they cannot be compared.
    """
    reports = {path: _read_report(path) for path in paths}
    first = reports[paths[0]]
    for path, report in reports.items():
        facts = [(one["labels"], one["verification"]["num_images"]) for one in (first, report)]
        if facts[0] != facts[1]:
            raise DataError(
                f"{path} was tested on {facts[1][1]} images of {facts[1][0][:5]}, {paths[0]} on {facts[0][1]} of "
                f"{facts[0][0][:5]}; expected the same test images. Train them on the same data."
            )
    passed = {str(path): path.read_bytes() for path in paths if reports[path]["passed"] and path.is_file()}
    stage("Timing the sizes side by side")
    timings = {row.model: row for row in reversed(time_models(passed, (1,), seconds)[0])} if passed else {}
    return tuple(_make_size(path, report, timings) for path, report in reports.items())


def _read_report(path: Path) -> Any:
    report = path.with_suffix(".report.json")
    try:
        return json.loads(report.read_text("utf-8"))
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no report {report}; convert the model first, it writes both.") from error
    except ValueError as error:
        raise DataError(f"{report} is not JSON ({error}); convert the model again.") from error


def _make_size(path: Path, report: Any, timings: Mapping[str, Any]) -> Size:
    backend = report["verification"]["backends"][0]
    figures = backend["report"]
    rows = [row for row in (report["field_test"] or {}).get("rows", ()) if row["backend"] == backend["backend"]]
    num = (report["field_test"] or {}).get("num_images", 0)
    worst = min(rows, key=lambda row: row["num_correct"], default=None)
    foreign = [item["acceptance"] for item in (report["unknown"] or {}).get("foreign", ())]
    shown = sum(item["num_images"] for item in foreign)
    timing = timings.get(str(path))
    return Size(
        name=path.stem,
        accuracy=figures["accuracy"],
        interval=tuple(figures["accuracy_interval"]),
        field=sum(row["num_correct"] for row in rows) / (num * len(rows)) if rows and num else None,
        worst=f"{worst['scene']}: {worst['num_correct'] / num:.0%}" if worst else "–",
        unknown=1 - sum(item["num_accepted"] for item in foreign) / shown if shown else None,
        file_bytes=report["bytes_after_packing"],
        macs=report["audit"]["macs"],
        p50_ms=timing.p50_ms if timing else float("nan"),
        time_ratio=timing.ratio if timing else float("nan"),
        refusal="" if report["passed"] else "; ".join(report["verification"]["refusals"]) or "refused",
    )


def recommend_size(sizes: Sequence[Size]) -> tuple[Size | None, str]:
    """The size to take and why: the smallest that is as good as the best, as far as this many images can tell."""
    able = sorted((size for size in sizes if not size.refusal), key=lambda size: size.file_bytes)
    if not able:
        return None, "Take none: every size was refused; the reports say why."
    best = max(able, key=_rank)
    most = max((size.field for size in able if size.field is not None), default=None)
    enough = [
        size
        for size in able
        if size.accuracy >= best.interval[0] and (most is None or (size.field or 0.0) >= most - LITTLE)
    ]
    # The most accurate size need not be the best in the field test; then the best one there is taken.
    chosen = enough[0] if enough else max(able, key=lambda size: (size.field or 0.0, size.accuracy))
    field = "" if chosen.field is None else f", {chosen.field:.1%} in the scenes of the field test"
    why = f"Take {chosen.name}: {chosen.accuracy:.1%} on the test images{field}, {chosen.file_bytes / 1000:,.0f} kB."
    if chosen is not best:
        why += (
            f" The most accurate, {best.name}, has {best.accuracy:.1%} (95 % interval {best.interval[0]:.1%} to "
            f"{best.interval[1]:.1%}) in {best.file_bytes / chosen.file_bytes:.1f} times the bytes"
        )
        is_behind = (best.field or 0.0) < (chosen.field or 0.0) - LITTLE
        why += f", but only {best.field:.1%} in the scenes." if is_behind else "."
    elif chosen is not able[0]:
        behind = max(able[: able.index(chosen)], key=_rank)
        why += f" {behind.name} is smaller and behind: {behind.accuracy:.1%} on the test images"
        why += "." if behind.field is None else f", {behind.field:.1%} in the scenes."
    return chosen, why


def _rank(size: Size) -> tuple[float, float]:
    """The higher the better; where the test images cannot tell, the field test does."""
    return size.accuracy, size.field or 0.0


def to_markdown(sizes: Sequence[Size]) -> str:
    """The recommendation and the table."""
    refused = "".join(f"- {line}\n" for line in list_refused(sizes))
    table = render_markdown_table(*tabulate(sizes))
    return f"{recommend_size(sizes)[1]}\n\n{table}\n\nTimes on {read_processor_name()}, taking turns.\n{refused}"


def to_html(sizes: Sequence[Size]) -> str:
    """The same as a page with a chart, which needs no other file."""
    chosen, why = recommend_size(sizes)
    points = [Point(size.name, size.file_bytes, size.accuracy, size.interval) for size in sizes if not size.refusal]
    return render_page(
        _TEMPLATE,
        title="Sizes side by side",
        why=why,
        processor=read_processor_name(),
        chart=draw_scatter(points, ("size of the file, bytes", "accuracy")) if points else "",
        table=Table(*tabulate(sizes), marked=None if chosen is None else sizes.index(chosen)),
        refused=list_refused(sizes),
    )


def tabulate(sizes: Sequence[Size]) -> tuple[list[str], list[list[str]]]:
    """The head and a row for each size."""
    head = ["size", "accuracy", "95 % interval", "field test, mean", "worst scene", "foreign called unknown"]
    head += ["kB", "million MACs", "ms, 1 thread", "x the first's time"]
    body = []
    for size in sizes:
        cells = [size.name, f"{size.accuracy:.2%}", f"{size.interval[0]:.1%} to {size.interval[1]:.1%}"]
        cells += ["–" if size.field is None else f"{size.field:.1%}", size.worst]
        cells += ["–" if size.unknown is None else f"{size.unknown:.0%}", f"{size.file_bytes / 1000:,.0f}"]
        times = ["–", "–"] if size.refusal else [f"{size.p50_ms:.2f}", f"{size.time_ratio:.2f}"]
        body.append([*cells, f"{size.macs / 1e6:,.1f}", *times])
    return head, body


def list_refused(sizes: Sequence[Size]) -> list[str]:
    """A sentence for each size that has no file."""
    return [f"{size.name} was refused: {size.refusal}" for size in sizes if size.refusal]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, or those of the process, and returns its exit code."""
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    parser = VerbParser(
        prog="python -m convert.compare.sizes",
        description="Shows converted sizes of one model side by side, with the field test, and recommends one.",
        epilog="example: python -m convert.compare.sizes build/mine-tiny.tflite build/mine-small.tflite",
    )
    parser.add_argument("models", metavar="FILE", nargs="+", type=Path, help="what convert wrote, or would have")
    parser.add_argument("--seconds", type=float, default=6.0, help="of timing for each backend (default: 6)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/sizes.md"),
        help="a page of the same name lies beside it (default: build/sizes.md)",
    )
    add_quiet_flag(parser)
    options = parser.parse_args(arguments)
    with silence_stderr(options.quiet):
        sizes, page = read_sizes(options.models, options.seconds), options.out.with_suffix(".html")
        text = to_markdown(sizes)
        write_text_atomically(options.out, text)
        write_text_atomically(page, to_html(sizes))
        print(text)
        stage(f"{options.out} and {page} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
