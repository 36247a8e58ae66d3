"""Each command ends in one line and an exit code that says which kind of end it was."""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.errors import DataError
from edge_runtime.system.command import run_command

CONVERT = Path(__file__).parents[3] / "convert"


def interrupt() -> int:
    raise KeyboardInterrupt


def fail() -> int:
    raise DataError("The folder x holds nothing.")


def test_an_error_is_one_line_and_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(fail) == 65
    assert capsys.readouterr().err == "error: The folder x holds nothing.\n"


def test_an_interrupt_is_one_line_and_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(interrupt) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_what_is_returned_is_the_exit_code_and_a_bug_stays_a_traceback() -> None:
    assert run_command(lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 // 0)


COMMANDS = sorted(path for path in CONVERT.rglob("*.py") if 'if __name__ == "__main__"' in path.read_text("utf-8"))


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: str(path.relative_to(CONVERT)))
def test_every_command_ends_this_way(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(".".join(path.relative_to(CONVERT.parent).with_suffix("").parts))
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", lambda *_: interrupt())
    assert module.main([]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_a_name_that_is_no_utf8_is_printed_escaped(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script = "from edge_runtime.system.command import run_command\nrun_command(lambda: print('caf\\udce9'))"
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"})
    assert capfd.readouterr().out == "caf\\udce9\n"


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        ("raise KeyboardInterrupt", "\ninterrupted\n"),
        (
            "try:\n    raise KeyboardInterrupt\nexcept BaseException as e:\n    raise ImportError('x') from e",
            "\ninterrupted\n",
        ),
        ("raise ValueError('a bug')", None),
    ],
)
def test_an_interrupt_among_the_imports_is_one_line_too(
    raised: str, expected: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    script = f"from edge_runtime.system.command import quiet_interrupts\nquiet_interrupts()\n{raised}"
    subprocess.run([sys.executable, "-c", script], check=False)
    error = capfd.readouterr().err
    assert error == expected if expected is not None else "ValueError: a bug" in error


@pytest.mark.parametrize("package", ["convert", "train"])
def test_both_packages_are_quiet_when_they_are_run_as_commands(package: str) -> None:
    script = f"import sys; sys.argv[:] = ['-m']; import {package}; print(sys.excepthook is sys.__excepthook__)"
    found = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=CONVERT.parent
    )
    assert found.stdout == "False\n"
