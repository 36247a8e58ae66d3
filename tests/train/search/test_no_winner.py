"""A search that has nothing to show says why and what to change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from train.search.no_winner import explain_no_winner
from train.search.space import Budget

BUDGET = Budget(max_bytes=50_000, max_macs=1_000_000)


def test_a_search_that_trained_nothing_asks_for_time() -> None:
    assert explain_no_winner({}, 0, BUDGET) == (
        "The search ended before a single network was trained. Give more time: --minutes 60."
    )
    text = explain_no_winner({}, 4, BUDGET)
    assert text.startswith("4 networks were begun and none was finished") and "fewer --epochs, smaller --sizes" in text


def test_a_search_with_nothing_within_the_budget_names_the_nearest() -> None:
    found = {
        1: {"model": "wide", "bytes": 200_000, "macs": 900_000},
        2: {"model": "near", "bytes": 61_500, "macs": 1_200_000},
    }
    assert explain_no_winner(found, 2, BUDGET) == (
        "None of the 2 networks that were trained is small or fast enough. The nearest, near, has 61.5 kB instead of at "
        "most 50, 1.2 million multiplications instead of at most 1. Allow that much, give more --minutes, or smaller "
        "--sizes."
    )
    slow = explain_no_winner({1: {"model": "slow", "time_ratio": 2.0}}, 1, Budget(max_time_ratio=1.0))
    assert "slow, has more time than the file given with --like" in slow


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_command_starts_its_workers(tmp_path: Path) -> None:
    flags = ["--minutes", "0.001", "--epochs", "1", "--workers", "2", "--out", str(tmp_path / "s")]
    command = [sys.executable, "-m", "train.search", *flags]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert found.returncode == 65 and "Traceback" not in found.stderr
    assert found.stderr.splitlines()[-1].startswith("error: The search ended before a single network was trained")
