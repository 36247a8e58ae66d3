"""Draws the result of `python -m train.search`: two plots with the Pareto front and a table, beside its JSON file.

Usage: python -m convert.report.search_page FRONT.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from convert.output.atomic import write_atomically
from convert.output.page import document, table
from convert.output.plot import Point, scatter
from edge_runtime.errors import DataError, EdgeRuntimeError, MissingInputError
from edge_runtime.metrics import wilson_interval


def render(result: dict[str, Any]) -> str:
    """The page. Rows of the front are blue, the winner orange, what was beaten or over the budget grey."""
    front = {row["trial"] for row in result["front"]}
    rows = [*result["front"], *(row for row in result["all"] if row["trial"] not in front)]

    def kind(row: dict[str, Any]) -> str:
        return "two" if row["trial"] == result["winner"] else "one" if row["trial"] in front else "three"

    def plot(cost: str, axis: str) -> str:
        points = [
            Point(
                _short(row) if row["trial"] in front else "",
                row[cost],
                row["accuracy"],
                wilson_interval(row["correct"], row["num_images"]),
                kind(row),
                row["trial"] in front,
            )
            for row in rows
        ]
        return scatter(points, axis)

    best = next(row for row in result["front"] if row["trial"] == result["winner"])
    limits = [
        f"{name.removeprefix('max_').replace('_', ' ')} {value:,}" for name, value in result["budget"].items() if value
    ]
    head = ["network", "input", "validation", "int8 test", "95 % interval", "bytes", "MACs", "ms a picture", "trial"]
    like = result["like"]
    body = []
    for row in rows:
        rates = f"{row['validation_accuracy']:.2%}", f"{row['accuracy']:.2%}"
        low, high = wilson_interval(row["correct"], row["num_images"])
        latency = f"{row['latency_ms']:.3f}" + (f" ({row['time_ratio']:.2f} x)" if like else "")
        costs = f"{row['bytes']:,}", f"{row['macs']:,}", latency
        body.append([row["model"], str(row["size"]), *rates, f"{low:.2%} to {high:.2%}", *costs, str(row["trial"])])
    parts = [
        f"<h1>{escape(result['search'])}</h1>",
        f'<p class="answer">Of {result["num_trials"]} finished trials ({result["num_ended_early"]} more were ended '
        f"early, {result['num_too_slow']} were too slow to be trained), within the budget "
        f"({escape(', '.join(limits)) or 'none'}), {escape(best['model'])} at {best['size']} pixels "
        f"has the best validation accuracy, "
        f"{best['validation_accuracy']:.2%}; its int8 file has {best['accuracy']:.2%} on the test images, "
        f"{best['bytes']:,} bytes and {best['latency_ms']:.3f} ms a picture"
        + (f", {best['time_ratio']:.2f} times the time of {escape(like)}" if like else "")
        + ".</p>",
        '<p class="soft">Chosen by validation accuracy; test accuracies of the int8 files are only shown. Blue: the '
        "front, what nothing else beats in validation accuracy, bytes and time. Orange: the winner. Grey: beaten, or "
        "over the budget. Bars: 95 % intervals. Dashed: the front of each plot by test accuracy.</p>",
        '<div class="pair">',
        f'<div class="card"><h2>Accuracy against size</h2>{plot("bytes", "bytes of the int8 model")}</div>',
        f'<div class="card"><h2>Accuracy against latency</h2>{plot("latency_ms", "milliseconds a picture")}</div>',
        "</div><h2>All trials</h2>",
        table(head, body, marked=rows.index(best)),
    ]
    return document(result["search"], parts)


def _short(row: dict[str, Any]) -> str:
    return f"{row['model'].removeprefix('scaled-')} @{row['size']}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m convert.report.search_page", description="Draws the result of a search."
    )
    parser.add_argument("result", metavar="FRONT.json", type=Path, help="as `python -m train.search` writes it")
    path = parser.parse_args(arguments).result
    try:
        if not path.is_file():
            raise MissingInputError(f"There is no result {path}; check the path.")
        try:
            page = render(json.loads(path.read_text("utf-8")))
        except (ValueError, KeyError, TypeError, StopIteration) as error:
            raise DataError(f"{path} is no result of python -m train.search ({error!r}).") from error
        write_atomically(path.with_suffix(".html"), page.encode(), force=True)
    except EdgeRuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(path.with_suffix(".html"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
