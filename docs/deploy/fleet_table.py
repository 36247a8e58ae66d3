"""Prints what status.yml gathered as one table, the devices that did not answer last. Standard library alone."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

HEAD = (
    "host", "release", "model", "version", "state", "signed by", "labels/s", "last label", "health", "temp", "disk",
)  # fmt: skip
NOTHING = "–"


def read_answer(answer: str) -> dict[str, str]:
    """The ``key=value`` lines of a device."""
    pairs = (line.rstrip("\r").partition("=") for line in answer.splitlines())
    return {key: value.strip() for key, mark, value in pairs if mark}


def make_row(host: str, answer: dict[str, str]) -> list[str]:
    """A device's row; what it did not say is a dash."""
    store = _object(answer.get("store", ""))
    rate = labels_a_second(answer.get("before", ""), answer.get("after", ""))
    state = NOTHING
    if store:
        state = "candidate" if store.get("probation") else "proved"
        state += ", provisional" if store.get("provisional") else ""
    health = _health(answer.get("after", ""), rate)
    # A service that labels may have said something else since; one that does not is asked for its last words.
    line = (answer.get("label") if health == "labels" else None) or answer.get("last", "")
    millidegrees = answer.get("temperature", "")
    return [
        host,
        answer.get("release") or NOTHING,
        str(store.get("name") or NOTHING),
        str(store.get("current") or NOTHING)[:12],
        state,
        str(store.get("signed_by") or ("nobody" if "signed_by" in store else NOTHING)),
        NOTHING if rate is None else f"{rate:.1f}",
        last_label(line),
        health,
        f"{int(millidegrees) / 1000:.0f} °C" if millidegrees.isdecimal() else NOTHING,
        answer.get("disk") or NOTHING,
    ]


def labels_a_second(before: str, after: str) -> float | None:
    """How many labels the service gave a second between two looks at it, None where it does not count them."""
    pattern = r"([\d.]+) .*StatusText=(\d+) labels"
    first, last = re.match(pattern, before), re.match(pattern, after)
    if first is None or last is None or float(last[1]) <= float(first[1]):
        return None
    # A service that was started again in between counts from 0.
    return max(0, int(last[2]) - int(first[2])) / (float(last[1]) - float(first[1]))


def last_label(line: str) -> str:
    """The label in the service's last line, of text or JSON; the line itself, cut, where it is something else."""
    value = _object(line)
    if "label" in value:
        return f"{value['label']} {float(value.get('score', 0)):.0%}"
    text = re.match(r"frame \d+: (.+?) ([01]\.\d\d)(?:  |$)", line)
    if text is not None:
        return f"{text[1]} {float(text[2]):.0%}"
    return line[:32] or NOTHING


def _health(after: str, rate: float | None) -> str:
    match = re.search(r"ActiveState=(\S+)", after)
    if match is None:
        return "no service"
    if match[1] != "active":
        return match[1]
    return "no labels" if rate is None or rate == 0 else "labels"


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def print_table(file: Path) -> int:
    """The table of the answers in ``file``; how many devices did not answer."""
    answers = json.loads(file.read_text(encoding="utf-8"))
    rows = [make_row(item["host"], read_answer(item["answer"])) for item in answers if item["answer"]]
    silent = [item for item in answers if not item["answer"]]
    widths = [max(len(row[column]) for row in [list(HEAD), *rows]) for column in range(len(HEAD))]
    for row in [list(HEAD), *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for item in silent:
        print(f"{item['host']}  NO ANSWER: {' '.join(item['trouble'].split())[:160] or 'nothing was said'}")
    return len(silent)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit("usage: fleet_table.py FILE, with the answers that status.yml wrote")
    print_table(Path(sys.argv[1]))
