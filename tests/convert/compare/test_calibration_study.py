"""The study of calibration sets: what it counts, on literal figures and once on a real network."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from convert.compare.calibration_study import Study, Trial, as_json, as_markdown, as_page, largest_change, study
from convert.inputs.run_directory import read_run_directory
from edge_runtime.errors import DataError


def trial(number: int, half: str, p: float) -> Trial:
    return Trial(number, half, 0.8, (0.78, 0.82), 0.3, p, 0.98)


def literal(*trials: Trial) -> Study:
    return Study("run", 2000, 2000, "litert-xnnpack", 0.81, 0.80, trials, {item.num_images: 0.2 for item in trials})


def test_enough_is_the_smallest_number_from_which_on_nothing_differs_significantly() -> None:
    found = literal(
        *(trial(n, half, p) for n, half, p in ((10, "A", 0.5), (20, "B", 0.01), (50, "A", 0.3), (100, "A", 1)))
    )
    assert found.enough == 50
    assert literal(trial(10, "A", 0.001)).enough == 2000
    assert literal(trial(10, "A", 0.5)).enough == 10


def test_the_largest_change_is_relative_and_over_the_tensors_that_both_have() -> None:
    assert largest_change({"a": 1.0, "b": 2.0, "c": 1.0}, {"a": 1.1, "b": 1.0}) == pytest.approx(0.5)


def test_table_page_and_json_show_each_calibration() -> None:
    found = literal(trial(10, "A", 0.5), trial(10, "B", 0.04))
    assert "| 10 | A | 80.00% | 78.00% to 82.00% | 0.5 | 98.00% | 30.0% | 20.0% |" in as_markdown(found)
    assert as_page(found).count("<circle") == 2 and "polyline" not in as_page(found)
    assert json.loads(as_json(found))["trials"][1] == {
        **dataclasses.asdict(trial(10, "B", 0.04)),
        "interval": [0.78, 0.82],
    }


@pytest.mark.tensorflow
def test_two_disjoint_halves_of_each_size_are_held_to_the_whole_pool(make_run: Callable[..., Path]) -> None:
    source = read_run_directory(make_run())
    found = study(source, numbers=(5, 1000))
    assert [(item.num_images, item.half) for item in found.trials] == [(5, "A"), (5, "B")]
    assert found.pool == 120 and found.num_test == 160 and set(found.between) == {5}
    assert all(item.accuracy > 0.8 and item.scale_change > 0 for item in found.trials)
    with pytest.raises(DataError, match=r"has 120 calibration images, expected at least 200 for two halves"):
        study(source, numbers=(100,))
