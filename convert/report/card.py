"""Writes the model card of a converted file: what it is, how it was made and how well it does, from existing files.

Every figure comes from the run directory, the file and the conversion's report, and these three must belong together.
Usage: python -m convert.report.card RUN FILE
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from convert.output.atomic import expect_room, write_text_atomically
from convert.output.progress import stage
from convert.report.card_facts import measure_run, read_card, summarize
from convert.report.card_page import draw_history, to_markdown
from edge_runtime.cli.verb_parser import VerbParser
from edge_runtime.errors import DataError
from edge_runtime.system.command import run_command

_EXAMPLES = """examples:
  python -m convert.report.card runs/zoo-micro build/zoo/micro.tflite   # writes build/zoo/micro.md and micro.svg
  python -m convert.report.card RUN FILE --report FILE.report.json --out docs/zoo/micro.md --force
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, or those of the process, and returns its exit code."""
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    parser = VerbParser(
        prog="python -m convert.report.card",
        description="Writes the model card of a converted file, and its training curves beside it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="the run directory that was converted")
    parser.add_argument("file", metavar="FILE", type=Path, help="the .tflite file")
    parser.add_argument("--report", type=Path, help="the conversion's report (default: FILE.report.json)")
    parser.add_argument("--out", type=Path, help="the card (default: FILE.md)")
    parser.add_argument(
        "--robustness",
        type=int,
        default=0,
        metavar="N",
        help="measure corrupted images too, N of the run's test images",
    )
    parser.add_argument("--force", action="store_true", help="replace the card if it exists")
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON")
    options = parser.parse_args(arguments)
    out = options.out or options.file.with_suffix(".md")
    expect_room(out, force=options.force)
    card = read_card(options.run, options.file, options.report or options.file.with_suffix(".report.json"))
    if options.robustness:
        card = dataclasses.replace(card, robustness=measure_run(options.run, options.file, options.robustness))
    try:
        curves, text, figures = draw_history(card.metrics), to_markdown(card, f"{out.stem}.svg"), summarize(card)
    except (KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"{options.run} lacks {error} in its files; a card is made of a run that python -m train trained by epochs."
        ) from error
    write_text_atomically(out.with_suffix(".svg"), curves)
    write_text_atomically(out, text)
    print(json.dumps(figures) if options.json else out)
    stage(f"{out} written, with {out.stem}.svg beside it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
