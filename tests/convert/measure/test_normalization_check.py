"""A normalisation that was given wrongly is noticed on the test images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from convert.inputs.adapting import Pixels
from convert.inputs.keras_model import KerasFile
from convert.inputs.run_directory import read_run_directory
from convert.measure.normalization_check import USUAL, BetterNormalization, find_better_normalization

pytestmark = pytest.mark.tensorflow


def test_a_model_that_normalises_inside_is_found_out_and_the_right_one_is_left_alone(
    make_run: Callable[..., Path],
) -> None:
    source = read_run_directory(make_run())
    assert find_better_normalization(source) is None
    # One that the input tensor holds, and one that a layer in front does.
    for wrong in (Pixels((0.0,), (255.0,)), Pixels((120.0, 110.0, 100.0), (60.0, 60.0, 60.0))):
        other = dataclasses.replace(source, model=KerasFile(source.model.path, wrong))
        found = find_better_normalization(other)
        assert found is not None and found.pixels == Pixels() and found.flags == "--mean 0 --std 1"
        assert found.num_images == 160 and found.num_correct > 150 > found.num_correct_given + 16
    assert BetterNormalization(USUAL[4], 1, 0, 1).flags.endswith("--std 1 --channels bgr")
