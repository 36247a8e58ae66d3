"""YUYV is reduced before its colours are converted, and the model sees nearly what the plain path shows it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_runtime.cameras.sources.synthetic import draw_wave_image
from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError
from edge_runtime.pixels.preprocess import preprocess
from edge_runtime.pixels.yuyv import yuyv_to_bgr


def to_yuyv(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) BGR as (h, w, 2) YUYV by the video-range BT.601 formulas."""
    blue, green, red = (image[..., channel].astype(np.float64) for channel in range(3))
    luma = 16 + (65.738 * red + 129.057 * green + 25.064 * blue) / 256
    blueness = 128 + (-37.945 * red - 74.494 * green + 112.439 * blue) / 256
    redness = 128 + (112.439 * red - 94.154 * green - 18.285 * blue) / 256
    raw = np.empty((*image.shape[:2], 2), np.uint8)
    raw[..., 0] = luma.round()
    raw[:, 0::2, 1] = ((blueness[:, 0::2] + blueness[:, 1::2]) / 2).round()
    raw[:, 1::2, 1] = ((redness[:, 0::2] + redness[:, 1::2]) / 2).round()
    return raw


def test_without_a_model_the_frame_keeps_its_size_and_colours() -> None:
    image = draw_wave_image(192, 256)
    frame = yuyv_to_bgr(to_yuyv(image), None)
    assert frame.shape == (192, 256, 3)
    assert np.abs(frame.astype(int) - image).mean() < 4


@pytest.mark.parametrize(("side", "shape"), [(32, (60, 80)), (96, (120, 160)), (224, (240, 320)), (300, (480, 640))])
def test_the_frame_is_reduced_and_the_model_sees_nearly_the_same(side: int, shape: tuple[int, int]) -> None:
    raw, spec = to_yuyv(draw_wave_image(480, 640)), InputSpec(side, side)
    reduced = yuyv_to_bgr(raw, spec)
    assert reduced.shape == (*shape, 3)
    plain = preprocess(cv2.cvtColor(raw, cv2.COLOR_YUV2BGR_YUYV), spec).astype(np.int16)
    assert np.abs(preprocess(reduced, spec) - plain).mean() < 3.0


def test_sizes_that_do_not_divide_are_reduced_less() -> None:
    assert yuyv_to_bgr(to_yuyv(draw_wave_image(484, 648)), InputSpec(32, 32)).shape == (121, 162, 3)


@pytest.mark.parametrize("shape", [(48, 64, 3), (48, 63, 2), (0, 64, 2), (48, 64)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        DataError, match=r"The raw frame is .* uint8, expected \(h, w, 2\) uint8 YUYV with an even width"
    ):
        yuyv_to_bgr(np.zeros(shape, np.uint8), None)
