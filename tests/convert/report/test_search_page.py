"""The page of a search's result, from literal figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convert.report.search_page import main, render


def row(trial: int, rate: float, size: int, ms: float) -> dict[str, object]:
    return {
        "trial": trial, "model": f"scaled-plain-w{size}-d1", "size": 32, "validation_accuracy": rate, "accuracy": rate,
        "correct": round(1000 * rate), "num_images": 1000, "bytes": 1000 * size, "macs": 10000 * size, "latency_ms": ms,
        "time_ratio": 10 * ms,
    }  # fmt: skip


def result() -> dict[str, object]:
    front = [row(0, 0.5, 4, 0.01), row(2, 0.7, 8, 0.03)]
    budget = {"max_bytes": 9000, "max_macs": None, "max_latency_ms": None, "max_time_ratio": None}
    beaten = row(1, 0.4, 6, 0.02)
    return {
        "search": "s", "data": "d", "budget": budget, "num_trials": 3, "winner": 2, "front": front, "all": [*front, beaten],
        "like": None, "num_ended_early": 4, "count_too_slow": 5,
    }  # fmt: skip


def test_the_page_names_the_winner_and_shows_every_trial() -> None:
    page = " ".join(render(result()).split())
    assert "scaled-plain-w8-d1" in page and "bytes 9,000" in page and "70.00%" in page
    assert page.count("<svg") == 2 and page.count("<title>plain-w6-d1 @32: 40.00%") == 2 and page.count("<tr") == 4
    assert page.count('class="mark"') == 1 and "<script" not in page
    assert "the best validation accuracy of 3 finished trials: 70.00%. Its int8 file reaches 70.00% on" in page
    assert "4 more trials were ended early, and 5 networks were too slow to be trained." in page
    one = " ".join(render({**result(), "num_trials": 1, "num_ended_early": 1, "count_too_slow": 1}).split())
    assert "the best validation accuracy of 1 finished trial:" in one
    assert "1 more trial was ended early, and 1 network was too slow to be trained." in one


def test_with_a_file_to_be_no_slower_than_times_are_also_told_against_it() -> None:
    assert "0.030 ms per image.</p>" in " ".join(render(result()).split())
    page = " ".join(render({**result(), "like": "seed.tflite"}).split())
    assert "0.030 ms per image, 0.30 times the time of seed.tflite.</p>" in page and "0.020 (0.20 x)" in page


def test_the_command_writes_the_page_beside_the_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "front.json"
    path.write_text(json.dumps(result()))
    assert main([str(path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "front.html") and (tmp_path / "front.html").is_file()
    path.write_text("{}")
    assert main([str(path)]) == 65
    assert main([str(tmp_path / "missing.json")]) == 66
    error = capsys.readouterr().err
    assert "is not a result of python -m train.search" in error and "There is no result" in error
