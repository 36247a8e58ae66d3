"""Attack 6: end a run as if it had a bug. Stopped by errors that name the file, and by a disk that may be full."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.errors import ModelError
from edge_runtime.model import model_file
from edge_runtime.model.model_file import read_model
from edge_runtime.outputs.stdout import Outlet
from tests.attacks import forged

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "error", [ValueError("x"), TypeError("x"), IndexError("x"), KeyError("x"), MemoryError(), OverflowError()]
)
def test_goldens_that_cannot_be_read_are_an_error_of_the_model(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> object:
        raise error

    monkeypatch.setattr(model_file, "goldens_from_npz", fail)
    model = dataclasses.replace(read_model(forged.TOY.read_bytes(), "toy"), golden_npz=b"x")
    with pytest.raises(ModelError, match=r"golden\.npz cannot be read \(.*\)\. Convert the model again"):
        _ = model.goldens


def test_too_little_memory_is_said_and_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(arguments: object) -> int:
        raise MemoryError

    monkeypatch.setattr(cli, "_dispatch", fail)
    assert cli.main(["info"]) == 65
    assert "There is not enough memory for this model or image" in capsys.readouterr().err


@pytest.fixture
def full_disk() -> Callable[[], io.TextIOWrapper]:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    return lambda: open("/dev/full", "w", encoding="utf-8")


def test_a_full_disk_under_stdout_is_an_event_of_a_live_run(full_disk: Callable[[], io.TextIOWrapper]) -> None:
    with full_disk() as out:
        outlet = Outlet(out, live=True)
        for _ in range(100):
            outlet.write("a line")
        events = list(outlet.take_events())
    assert outlet.num_lost == 100
    assert [event.reason for event in events] == [
        "what is printed cannot be written (No space left on device); lines are lost"
    ]


def test_a_full_disk_ends_what_is_not_live(full_disk: Callable[[], io.TextIOWrapper]) -> None:
    with full_disk() as out, pytest.raises(OSError, match="No space left"):
        Outlet(out).write("a line")


def test_a_line_that_was_cut_by_the_disk_is_not_joined_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = os.write, [3, 0, 1000, 1000, 1000]

    def write(fd: int, content: bytes) -> int:
        most = left.pop(0)
        if most == 0:
            raise OSError(28, "No space left on device")
        return real(fd, content[:most])

    path = tmp_path / "out"
    with path.open("w", encoding="utf-8") as out:
        outlet = Outlet(out, live=True)
        monkeypatch.setattr(os, "write", write)
        outlet.write("first")
        outlet.write("second")
        outlet.write("third")
        monkeypatch.undo()
    assert path.read_text().splitlines() == ["fir", "second", "third"]
    assert [event.state for event in outlet.take_events()] == ["failing", "ok"]


@pytest.mark.parametrize(
    ("verb", "code", "streams"),
    [
        ("run --camera synthetic --frames 2", 0, "<&-"),
        ("run --camera synthetic --frames 2", 0, "<&- >&- 2>&-"),
        ("classify docs/samples/bird.jpg", 0, ">&-"),
        ("classify missing.jpg", 66, "2>&-"),
        ("classify missing.jpg", 66, "2>/dev/full"),
    ],
)
def test_standard_streams_that_are_closed_or_full_change_nothing(verb: str, code: int, streams: str) -> None:
    command = f"{sys.executable} -m edge_runtime {verb} {streams}"
    found = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert found.returncode == code, found.stderr
    assert "Traceback" not in found.stderr
