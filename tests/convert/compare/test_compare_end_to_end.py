"""The whole comparison on a network trained in seconds, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convert.compare import comparison, pruned_runs
from convert.compare.__main__ import main, parse
from convert.compare.comparison import CompareConfig
from convert.compare.variants import OTHER, PRUNED, expect_same_data, find_runs_on_same_data
from convert.inputs.run_directory import read_run_directory
from edge_runtime.errors import DataError, UsageError

pytestmark = pytest.mark.tensorflow
SHORT = ["--seconds", "0.05", "--threads", "1", "--calibration-images", "20"]


@pytest.mark.slow
def test_all_variants_are_scored_and_timed_and_runs_on_the_same_data_stand_beside_them(
    make_run: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run(name="mine")
    make_run(name="beside")
    make_run(name="elsewhere", num_test=20)
    pruned = make_run(name="mine-pruned50")
    out = tmp_path / "build" / "page.html"
    assert main([str(run), "--out", str(out), "--pruned", str(pruned), "--json", *SHORT]) == 0
    data = json.loads(capfd.readouterr().out)
    rows = {row["name"]: row for row in data["rows"]}
    variants = ["float32", "float16", "dynamic int8", "int8, uint8 io", "int8, int8 io", "int16x8"]
    assert list(rows) == [*variants, "beside", "pruned mine-pruned50"]
    assert rows["beside"]["group"] == OTHER and rows["pruned mine-pruned50"]["group"] == PRUNED
    assert [rows[name]["float_tensors"] == 0 for name in variants] == [False, False, False, True, True, False]
    assert rows["float16"]["file_bytes"] < rows["float32"]["file_bytes"]
    for row in rows.values():
        assert row["gzip_bytes"] < row["file_bytes"] and row["macs"] == rows["float32"]["macs"]
        if row["name"] == "dynamic int8" and "tflite" in data["backends"]:
            assert "FULLY_CONNECTED" in row["incompatible"]["tflite"]
        else:
            assert row["incompatible"] == {}
        able = {(backend, 1) for backend in data["backends"] if backend not in row["incompatible"]}
        assert {(item["backend"], item["threads"]) for item in row["timings"]} == able
        assert all(item["accuracy"] > 0.9 for item in row["accuracies"])
    assert data["recommended"]["row"] in rows and data["num_images"] == 160
    assert json.loads(out.with_suffix(".json").read_text()) == data
    assert data["recommended"]["why"][:20] in out.with_suffix(".md").read_text() and "<svg" in out.read_text()
    assert main([str(run), "--out", str(out), *SHORT]) == 2


@pytest.mark.slow
def test_a_pruned_copy_that_cannot_be_made_is_a_line_and_not_the_end(
    make_run: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # This run's configuration is not one that `train` wrote, so `python -m train.prune` refuses it.
    run = make_run()
    out = tmp_path / "build" / "page.html"
    assert main([str(run), "--out", str(out), "--no-others", *SHORT]) == 0
    printed = capfd.readouterr().out
    assert "pruned 50 % could not be made: python -m train.prune failed: error:" in printed
    assert "is not a training configuration" in printed


def test_a_run_on_other_images_cannot_be_compared(make_run: Callable[..., Path]) -> None:
    one, two = make_run(name="one"), make_run(name="two", num_test=20)
    with pytest.raises(DataError, match=r"two is no other run with the labels and test images of .*one"):
        expect_same_data(one, read_run_directory(one), two)
    assert find_runs_on_same_data(one, read_run_directory(one), [one, two, one.parent]) == []


def test_flags_out_of_range_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--threads is \(0,\), expected numbers of at least 1"):
        CompareConfig(Path("run"), Path("page.html"), None, None, threads=(0,))
    with pytest.raises(UsageError, match=r"--seconds is 0, expected a number above 0"):
        CompareConfig(Path("run"), Path("page.html"), None, None, seconds=0)
    with pytest.raises(UsageError, match=r"The page is x.txt, expected a name that ends in .html"):
        parse(["run", "--out", "x.txt"])
    assert main([str(tmp_path / "nowhere"), "--out", str(tmp_path / "page.html")]) == 66


def test_without_an_interpreter_nothing_is_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    monkeypatch.setattr(comparison, "list_available_backends", lambda: ())
    assert main([str(tmp_path), "--out", str(tmp_path / "page.html")]) == 78
    assert "nothing can be compared. Install ai-edge-litert" in capsys.readouterr().err


def test_pruning_asks_train_for_each_share_and_stops_when_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    class Process:
        returncode = 0

        def __init__(self, command: list[str], **settings: Any) -> None:
            asked.append(command[2:])

        def communicate(self) -> tuple[str, str]:
            return "", ""

        def poll(self) -> int:
            return 0

    monkeypatch.setattr(pruned_runs.subprocess, "Popen", Process)
    pruning = pruned_runs.Pruning(tmp_path / "run", tmp_path / "build", (50, 75), 3)
    assert pruning.wait() == {percent: tmp_path / "build" / f"run-pruned{percent}" for percent in (50, 75)}
    assert [command[:4] for command in asked] == [
        ["train.prune", str(tmp_path / "run"), "--sparsity", n] for n in ("50", "75")
    ]
    pruning.stop()
    assert len(asked) == 2
