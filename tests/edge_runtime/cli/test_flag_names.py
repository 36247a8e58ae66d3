"""The library names arguments, the command line flags: no flag is written below the command line, and each has its name
here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import edge_runtime
from edge_runtime.cli.flag_names import FLAGS, name_flags

PACKAGE = Path(edge_runtime.__file__).parent
# What these write are command lines: of the service, and of the camera's program.
COMMAND_LINES = {"cli/run/systemd_unit.py", "cameras/sources/rpicam.py"}
# Arguments of the library that no flag sets.
LIBRARY_ONLY = {"kernels"}


def messages() -> Iterator[tuple[str, str]]:
    """(module, text) of every text in the code below the command line that is no docstring."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith("cli/"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield place, node.value


def flags_of_the_command_line() -> set[str]:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (PACKAGE / "cli").rglob("*.py"))
    return set(re.findall(r'"(--[a-z][a-z-]+)"', text))


def test_no_message_below_the_command_line_names_a_flag() -> None:
    flags = flags_of_the_command_line()
    found = [
        (place, flag)
        for place, text in messages()
        if place not in COMMAND_LINES
        for flag in re.findall(r"--[a-z][a-z-]+", text)
        if flag in flags
    ]
    assert found == []


def test_every_argument_that_a_message_names_has_its_flag() -> None:
    named = {name for _, text in messages() for name in re.findall(r"`([a-z_]+)`", text)}
    assert named - LIBRARY_ONLY <= FLAGS.keys()
    assert set(FLAGS.values()) <= flags_of_the_command_line()


def test_a_message_gets_the_flags_in_the_place_of_the_arguments() -> None:
    assert name_flags("`max_age_ms` is 0, see `labels`.") == "--max-age-ms is 0, see --labels."
    assert name_flags("`kernels` and `what else` stay.") == "`kernels` and `what else` stay."
