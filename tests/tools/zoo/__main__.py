"""``python -m tests.tools.zoo PART...``: measures the tables of docs/zoo/README.md again and puts them into it.

    python -m tests.tools.zoo models "field test" robustness packing
    python -m tests.tools.zoo arm --cache ~/.cache/edge-runtime-devices
    python -m tests.tools.zoo x86                    on a machine that does nothing else

Needs the trained models of MLPerf Tiny's image classification (github.com/mlcommons/tiny) in the folder YARDSTICKS; `models`, `field test` and `robustness` the complete CIFAR-10; `arm` what `make device-check` needs.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

from convert.output.atomic import write_atomically
from convert.report.card_page import render_scenes
from convert.report.robustness_section import render_robustness, tabulate_robustness
from tests.tools.device.check import CACHE
from tests.tools.zoo.field import measure_fields, tabulate_fields
from tests.tools.zoo.robustness import measure_all
from tests.tools.zoo.tables import ROOT, YARDSTICKS, arm_table, models_table, packing_table, x86_table

PARTS = ("models", "field test", "robustness", "packing", "arm", "x86")
PAGE = ROOT / "docs" / "zoo" / "README.md"


def with_table(page: str, part: str, table: str) -> str:
    """``page`` with ``table`` between the marks of ``part``. Raises ValueError when the page has no such marks."""
    begin, end = f"<!-- {part} -->\n", f"<!-- end of {part} -->\n"
    head, rest = page.split(begin)
    _, tail = rest.split(end)
    return f"{head}{begin}{table}\n{end}{tail}"


def robustness_into_cards() -> str:
    """The table of all models; each shipped one's own figures go into its card."""
    found = measure_all(YARDSTICKS)
    for name, robustness in found.items():
        if name not in YARDSTICKS:
            card = PAGE.with_name(f"{name}.md")
            text = with_table(card.read_text("utf-8"), "robustness", render_robustness(robustness))
            write_atomically(card, text.encode(), force=True)
    return tabulate_robustness(found)


def field_tests_into_cards() -> str:
    """The table of all models; each shipped one's own scenes go into its card."""
    found = measure_fields(YARDSTICKS)
    for name, test in found.items():
        if name not in YARDSTICKS:
            card = PAGE.with_name(f"{name}.md")
            text = with_table(card.read_text("utf-8"), "field test", render_scenes(dataclasses.asdict(test)))
            write_atomically(card, text.encode(), force=True)
    return tabulate_fields(found)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.zoo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", metavar="PART", choices=PARTS, nargs="+")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"where the devices' roots are (default {CACHE})")
    parser.add_argument("--mediapipe", type=Path, nargs="+", default=[], metavar="PYTHON", help="Pythons that have it")
    flags = parser.parse_args()
    tables: dict[str, Callable[[], str]] = {
        "models": models_table,
        "field test": field_tests_into_cards,
        "robustness": robustness_into_cards,
        "packing": lambda: packing_table(flags.mediapipe),
        "arm": lambda: arm_table(flags.cache),
        "x86": x86_table,
    }
    for part in flags.parts:
        table = tables[part]()
        print(table)
        write_atomically(PAGE, with_table(PAGE.read_text("utf-8"), part, table).encode(), force=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
