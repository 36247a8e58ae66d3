"""Draws the result of `python -m train.search`: two charts with the Pareto front and a table, beside its JSON file.

Usage: python -m convert.report.search_page FRONT.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convert.output.atomic import write_text_atomically
from convert.output.page import Table, render_page
from convert.output.plot import Kind, Point, draw_scatter
from edge_runtime.cli.verb_parser import VerbParser
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.metrics import wilson_interval
from edge_runtime.system.command import run_command

_TEMPLATE = Path(__file__).parent / "templates" / "search.html"


def render(result: dict[str, Any]) -> str:
    """The page of a result as `python -m train.search` writes it; it needs no other file."""
    front = {row["trial"] for row in result["front"]}
    rows = [*result["front"], *(row for row in result["all"] if row["trial"] not in front)]
    best = next(row for row in result["front"] if row["trial"] == result["winner"])

    def kind(row: dict[str, Any]) -> Kind:
        return "two" if row is best else "one" if row["trial"] in front else "three"

    def draw(cost: str, axis: str) -> str:
        points = [
            Point(
                name=_shorten(row) if row["trial"] in front else "",
                cost=row[cost],
                rate=row["accuracy"],
                interval=wilson_interval(row["correct"], row["num_images"]),
                kind=kind(row),
                counts=row["trial"] in front,
                tip=_shorten(row),
            )
            for row in rows
        ]
        return draw_scatter(points, (axis, "accuracy on the test images"))

    return render_page(
        _TEMPLATE,
        title=result["search"],
        search=result["search"],
        num_trials=result["num_trials"],
        num_ended_early=result["num_ended_early"],
        count_too_slow=result["count_too_slow"],
        limits=[
            f"{name.removeprefix('max_').replace('_', ' ')} {value:,}"
            for name, value in result["budget"].items()
            if value
        ],
        best=best,
        like=result["like"],
        size_chart=draw("bytes", "size of the int8 model, bytes"),
        latency_chart=draw("latency_ms", "ms per image"),
        trials=_make_table(rows, marked=rows.index(best), like=result["like"]),
    )


def _make_table(rows: Sequence[dict[str, Any]], *, marked: int, like: str | None) -> Table:
    """A row per trial; with ``like``, times are also given relative to those of that file."""
    head = ["network", "input", "validation", "int8 test", "95 % interval", "bytes", "MACs", "ms per image", "trial"]
    body = []
    for row in rows:
        rates = f"{row['validation_accuracy']:.2%}", f"{row['accuracy']:.2%}"
        low, high = wilson_interval(row["correct"], row["num_images"])
        latency = f"{row['latency_ms']:.3f}" + (f" ({row['time_ratio']:.2f} x)" if like else "")
        costs = f"{row['bytes']:,}", f"{row['macs']:,}", latency
        body.append([row["model"], str(row["size"]), *rates, f"{low:.2%} to {high:.2%}", *costs, str(row["trial"])])
    return Table(head, body, marked=marked)


def _shorten(row: dict[str, Any]) -> str:
    return f"{row['model'].removeprefix('scaled-')} @{row['size']}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, or those of the process, and returns its exit code."""
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    parser = VerbParser(prog="python -m convert.report.search_page", description="Draws the result of a search.")
    parser.add_argument("result", metavar="FRONT.json", type=Path, help="as `python -m train.search` writes it")
    path = parser.parse_args(arguments).result
    if not path.is_file():
        raise MissingInputError(f"There is no result {path}; check the path.")
    try:
        page = render(json.loads(path.read_text("utf-8")))
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise DataError(f"{path} is not a result of python -m train.search ({error!r}).") from error
    write_text_atomically(path.with_suffix(".html"), page)
    print(path.with_suffix(".html"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
