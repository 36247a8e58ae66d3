"""Images in other light keep their place and their class: the seed alone decides which change, and how."""

from __future__ import annotations

import numpy as np
import pytest

from train.scratch import light
from train.scratch.light import CHANGES, relight


def images(num: int = 40) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (num, 8, 8, 3), np.uint8)


def test_about_the_asked_share_is_changed_and_the_rest_is_left_alone() -> None:
    given = images(200)
    out = relight(given, 0.25, np.random.default_rng(0))
    changed = (out != given).any(axis=(1, 2, 3))
    assert 30 < changed.sum() < 70
    assert np.array_equal(given, images(200)) and out.dtype == np.uint8


def test_the_same_generator_state_gives_the_same_images() -> None:
    first, again = (relight(images(), 1.0, np.random.default_rng([1, 2])) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, relight(images(), 1.0, np.random.default_rng([1, 3])))


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_keeps_the_shape_and_stays_recognisable(change: light.Change) -> None:
    ramp = np.repeat(np.linspace(40, 200, 8, dtype=np.float32)[None, :, None], 8, axis=0).repeat(3, axis=2)
    for seed in range(20):
        out = change(ramp, np.random.default_rng(seed))
        assert out.shape == ramp.shape and out.dtype == np.float32
        assert np.corrcoef(out.mean(axis=(0, 2)), ramp.mean(axis=(0, 2)))[0, 1] > 0.95


def test_brightness_reaches_from_a_fifth_to_more_than_half_as_much_again() -> None:
    grey = np.full((8, 8, 3), 100, np.float32)
    found = [light._brightness(grey, np.random.default_rng(seed)).mean() for seed in range(200)]
    assert 20 <= min(found) < 25 and 140 < max(found) <= 160


def test_an_image_without_colour_stays_as_it_is_when_colour_is_lost() -> None:
    grey = np.full((8, 8, 3), 100, np.float32)
    assert np.allclose(light._grey(grey, np.random.default_rng(0)), grey, atol=1e-3)
