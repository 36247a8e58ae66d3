"""What the files of runs say: which go on, and how the others ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.store.runs import OpenRun, RunCount, boot_id, count_runs, settle_runs

MODEL, OTHER = "a" * 64, "b" * 64


def test_a_run_that_ends_well_leaves_nothing(tmp_path: Path) -> None:
    run = OpenRun(tmp_path, MODEL)
    assert count_runs(tmp_path, MODEL) == RunCount(1, 0, 0)
    run.note_label()
    assert count_runs(tmp_path, MODEL) == RunCount(1, 0, 0)
    run.end()
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_whose_process_was_killed_failed_and_is_settled_once(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from edge_runtime.store.runs import OpenRun\n"
        f"run = OpenRun(Path(sys.argv[1]), {MODEL!r}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=root).returncode == -9
    assert count_runs(tmp_path, MODEL) == RunCount(0, 1, 0)
    assert count_runs(tmp_path, OTHER) == RunCount(0, 0, 0)
    assert settle_runs(tmp_path, MODEL) == 1
    assert settle_runs(tmp_path, MODEL) == 0


@pytest.mark.parametrize(("suffix", "count"), [("begun", RunCount(0, 0, 1)), ("labelled", RunCount(0, 0, 0))])
def test_a_run_of_an_earlier_boot_is_unclear_until_it_labelled(tmp_path: Path, suffix: str, count: RunCount) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / f"{MODEL}-{'0' * 32}-00000000.{suffix}").touch()
    assert count_runs(tmp_path, MODEL) == count
    assert settle_runs(tmp_path, MODEL) == 0
    assert settle_runs(tmp_path, OTHER) == 0
    assert list((tmp_path / "runs").iterdir()) == []


def test_runs_that_go_on_and_files_of_others_stay(tmp_path: Path) -> None:
    run = OpenRun(tmp_path, MODEL)
    for name in ("letter.begun", f"{MODEL}.labelled", f".unfinished-{MODEL}-{'0' * 32}-00000000.begun-7"):
        (tmp_path / "runs" / name).touch()
    assert settle_runs(tmp_path, OTHER) == 0
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        "letter.begun",
        f"{MODEL}.labelled",
        run._path.name,
    }
    run.end()


def test_a_run_that_cannot_be_noted_says_why(tmp_path: Path) -> None:
    (tmp_path / "runs").write_bytes(b"")
    with pytest.raises(EdgeRuntimeError, match=r"runs.*cannot be created \(File exists\); check space and permissions"):
        OpenRun(tmp_path, MODEL)


def test_a_boot_has_a_number_of_its_own() -> None:
    assert len(boot_id()) == 32
    assert int(boot_id(), 16) > 0


def test_where_the_kernel_does_not_say_all_is_one_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.store.runs._BOOT_ID", tmp_path / "nothing")
    assert boot_id() == "0" * 32
