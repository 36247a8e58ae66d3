"""Light and sharpness tell the dark and the blurred from the rest, whatever is shown."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.pixels.light import measure_light


def stripes(width: int) -> np.ndarray:
    row = np.repeat(np.arange(8) % 2 * 200, width)[:64]
    return np.broadcast_to(row[None, :, None], (64, len(row), 3)).astype(np.uint8)


def test_the_mean_is_that_of_the_green_channel() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 1] = 90
    assert measure_light(image).mean == 90.0


def test_sharp_edges_give_a_half_and_a_slope_a_quarter() -> None:
    assert measure_light(stripes(16)).sharpness == pytest.approx(0.5, abs=0.03)
    slope = np.broadcast_to(np.arange(0, 192, 3, np.uint8)[None, :, None], (64, 64, 3))
    assert measure_light(slope).sharpness == pytest.approx(0.25, abs=0.01)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert measure_light(noise).sharpness == pytest.approx(1.0, abs=0.05)


def test_light_changes_no_sharpness() -> None:
    image = stripes(16)
    assert measure_light(image // 4).sharpness == pytest.approx(measure_light(image).sharpness, abs=0.01)


@pytest.mark.parametrize("shape", [(1, 1, 3), (4, 40, 3), (64, 64, 3)])
def test_what_has_no_edges_is_not_called_blurred(shape: tuple[int, int, int]) -> None:
    assert measure_light(np.full(shape, 100, np.uint8)).sharpness == 1.0
