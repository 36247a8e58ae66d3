"""Every command line explains each of its flags, shows an example, and ends with the same code for the same cause."""

from __future__ import annotations

import argparse
import importlib
import re
from pathlib import Path

import pytest

from edge_runtime import cli
from tests.tools.docs.reference import HOST, list_parsers
from train import edge_train

PARSERS = dict(list_parsers())
ABSENT = "/nowhere/absent"
# What each command reads first, where there is none.
READS = {
    "edge-runtime classify": [f"{ABSENT}.jpg"],
    "edge-runtime info": ["--model", f"{ABSENT}.tflite"],
    "edge-runtime selftest": ["--model", f"{ABSENT}.tflite"],
    "edge-runtime bench": ["--model", f"{ABSENT}.tflite"],
    "edge-runtime install": [f"{ABSENT}.tflite"],
    "python -m train": ["--data", ABSENT],
    "python -m convert.pack": [f"{ABSENT}.tflite", f"{ABSENT}.out"],
    "python -m convert.sign": [f"{ABSENT}.tflite", "--key", f"{ABSENT}.key"],
    "python -m convert": [ABSENT],
    "edge-train": [ABSENT],
}


def run(command: str, arguments: list[str]) -> int:
    """The exit code of ``command``, in this process."""
    if command == "edge-train":
        return edge_train.main(arguments)
    if command.startswith("edge-runtime "):
        return cli.main([command.split()[1], *arguments])
    return int(importlib.import_module(HOST[command]).main(arguments))


@pytest.mark.parametrize("command", PARSERS)
def test_every_flag_says_what_it_is_for_and_every_command_shows_an_example(command: str) -> None:
    parser = PARSERS[command]
    silent = [action.dest for action in parser._actions if not action.help or action.help is argparse.SUPPRESS]
    assert silent == []
    assert re.search(rf"^ *(example: )?{re.escape(command)}", parser.epilog or "", re.MULTILINE)


@pytest.mark.parametrize("command", [*PARSERS, "edge-train"])
def test_a_flag_that_is_unknown_ends_with_2_and_one_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, ["docs"] * (command == "edge-train") + ["--no-such-flag"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("command", READS)
def test_an_input_that_is_missing_ends_with_66_and_is_named(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, READS[command]) == 66
    assert Path(ABSENT).name in capsys.readouterr().err
