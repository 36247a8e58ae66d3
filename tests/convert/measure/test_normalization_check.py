"""A normalisation that was given wrongly is noticed on the test images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from convert.inputs.run_directory import read_run_directory
from convert.measure.normalization_check import find_better_normalization

pytestmark = pytest.mark.tensorflow


def test_a_model_that_normalises_inside_is_found_out_and_the_right_one_is_left_alone(
    make_run: Callable[..., Path],
) -> None:
    source = read_run_directory(make_run())
    assert find_better_normalization(source) is None
    found = find_better_normalization(dataclasses.replace(source, input_mean=0.0, input_std=255.0))
    assert found is not None and (found.mean, found.std, found.num_images) == (0.0, 1.0, 160)
    assert found.num_correct > 150 > found.num_correct_given + 16
