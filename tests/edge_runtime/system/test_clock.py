"""Ages and deadlines come from the monotonic clock: only clock.py may read the wall clock, and a jump of it changes
nothing.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import edge_runtime

PACKAGE = Path(edge_runtime.__file__).parent
FORBIDDEN = {
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime", "asctime", "strftime", "clock_gettime"},
    "datetime": {"now", "utcnow", "today", "fromtimestamp"},
    "date": {"today", "fromtimestamp"},
}


def wall_clock_calls(source: str) -> list[str]:
    """The names of wall-clock functions that ``source`` uses or imports."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = getattr(node.value, "id", getattr(node.value, "attr", ""))
            if node.attr in FORBIDDEN.get(owner, ()):
                found.append(f"{owner}.{node.attr}")
        elif isinstance(node, ast.ImportFrom) and node.module in FORBIDDEN:
            found += [f"{node.module}.{alias.name}" for alias in node.names if alias.name in FORBIDDEN[node.module]]
    return found


@pytest.mark.parametrize(
    "source", ["import time\ntime.time()", "from time import time_ns", "import datetime\ndatetime.datetime.now()"]
)
def test_the_check_finds_wall_clock_calls(source: str) -> None:
    assert wall_clock_calls(source)


def test_only_one_file_reads_the_wall_clock() -> None:
    users = {path.name for path in PACKAGE.rglob("*.py") if wall_clock_calls(path.read_text(encoding="utf-8"))}
    assert users == {"clock.py"}
