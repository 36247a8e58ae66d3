"""The one preprocessing, pinned to literal pixels: geometry, colour order, and both reductions."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError
from edge_runtime.pixels.preprocess import LETTERBOX_VALUE, can_be_written, find_crop_box, preprocess


def grey(rows: list[list[int]]) -> np.ndarray:
    """A BGR frame of the given rows, the same in each channel."""
    return np.repeat(np.array(rows, np.uint8)[..., None], 3, axis=2)


def test_a_frame_of_the_inputs_size_keeps_its_pixels_and_swaps_its_colours() -> None:
    frame = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    kept = frame.copy()
    expected = [[[2, 1, 0], [5, 4, 3], [8, 7, 6]], [[11, 10, 9], [14, 13, 12], [17, 16, 15]]]
    assert preprocess(frame, InputSpec(2, 3)).tolist() == expected
    assert (frame == kept).all()


@pytest.mark.parametrize("resize", ["stretch", "crop", "letterbox"])
def test_a_given_array_is_filled_with_the_same_bytes_and_an_error_never_asks_for_it(resize: str) -> None:
    frame = np.random.default_rng(2).integers(0, 256, (50, 41, 3), np.uint8)
    out = np.zeros((1, 8, 6, 3), np.uint8)[0]
    assert preprocess(frame, InputSpec(8, 6, resize), lambda: out) is out  # type: ignore[arg-type]
    assert (out == preprocess(frame, InputSpec(8, 6, resize))).all()  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"The frame is \(0, 4, 3\) uint8, expected"):
        preprocess(frame[:0, :4], InputSpec(8, 6), lambda: pytest.fail("the array was asked for"))


def test_an_array_that_opencv_would_not_fill_is_told_apart() -> None:
    assert can_be_written(np.zeros((8, 6, 3), np.uint8))
    assert not can_be_written(np.zeros((8, 6, 3), np.int8))


def test_below_a_threefold_reduction_pixels_are_sampled_bilinearly() -> None:
    image = preprocess(grey([[0, 10, 20, 30], [40, 50, 60, 70]]), InputSpec(1, 2))
    assert image[..., 0].tolist() == [[25, 45]]


def test_from_a_threefold_reduction_on_four_samples_are_averaged() -> None:
    rows = np.zeros((8, 8), np.uint8)
    rows[1, 1], rows[3, 3], rows[2, 2] = 200, 100, 255
    # Rows and columns 1, 3, 5, 7 are sampled, then each 2x2 block is averaged: (200 + 100) / 4.
    image = preprocess(grey(rows.tolist()), InputSpec(2, 2))
    assert image[..., 0].tolist() == [[75, 0], [0, 0]]


def test_a_ramp_stays_where_it_is() -> None:
    ramp = np.tile(np.arange(240, dtype=np.uint8), (96, 1))
    image = preprocess(grey(ramp.tolist()), InputSpec(8, 20))
    assert np.abs(image[0, :, 0] - (np.arange(20) * 12 + 5.5)).max() <= 1


def test_a_side_beyond_int16_is_sampled_too() -> None:
    assert (preprocess(np.full((8, 40000, 3), 7, np.uint8), InputSpec(2, 8)) == 7).all()


def test_growing_is_bilinear() -> None:
    assert preprocess(grey([[0, 100]]), InputSpec(1, 4))[..., 0].tolist() == [[0, 25, 75, 100]]


def test_crop_takes_the_largest_centred_region_of_the_inputs_shape() -> None:
    frame = grey([[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]])
    assert preprocess(frame, InputSpec(2, 2, "crop"))[..., 0].tolist() == [[3, 4], [9, 10]]
    assert find_crop_box(2, 6, InputSpec(2, 2, "crop")) == (0, 2, 2, 2)
    assert find_crop_box(480, 640, InputSpec(96, 96, "crop")) == (0, 80, 480, 480)
    assert find_crop_box(640, 480, InputSpec(96, 192, "crop")) == (200, 0, 240, 480)
    assert find_crop_box(480, 640, InputSpec(96, 96)) == (0, 0, 480, 640)


def test_letterbox_keeps_the_whole_frame_and_pads_with_mid_grey() -> None:
    image = preprocess(grey([[10, 20, 30, 40], [50, 60, 70, 80]]), InputSpec(4, 4, "letterbox"))
    bar = [LETTERBOX_VALUE] * 4
    assert image[..., 0].tolist() == [bar, [10, 20, 30, 40], [50, 60, 70, 80], bar]


@pytest.mark.parametrize("resize", ["stretch", "crop", "letterbox"])
@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (7, 5), (480, 640)])
def test_any_frame_becomes_the_inputs_shape(resize: str, size: tuple[int, int]) -> None:
    image = preprocess(np.full((*size, 3), 99, np.uint8), InputSpec(24, 32, resize))
    assert (image.shape, image.dtype) == ((24, 32, 3), np.uint8)
    assert (image == 99).any()


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (np.zeros((4, 4), np.uint8), r"\(4, 4\) uint8"),
        (np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\) uint8"),
        (np.zeros((4, 4, 3), np.float32), r"\(4, 4, 3\) float32"),
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\) uint8"),
        (None, "a NoneType"),
    ],
)
def test_what_is_no_frame_is_refused(frame: object, found: str) -> None:
    with pytest.raises(
        DataError, match=rf"The frame is {found}, expected (an array of )?\(h, w, 3\) uint8 in BGR order"
    ):
        preprocess(frame, InputSpec(8, 8))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("height", "width", "digest"),
    [
        (64, 64, "f9ecbe242bb93894"),
        (45, 61, "7bdb4ce9bcf99448"),
        (128, 131, "3b8747b6c429e380"),
        (20, 24, "b3cf352e760c6857"),
    ],
)
def test_resized_bytes_are_those_seen_on_x86_and_on_arm(height: int, width: int, digest: str) -> None:
    # Recorded with OpenCV 4.6 on armhf, 4.11 on x86 and 5.0 on arm64, whose INTER_LINEAR gives other bytes.
    frame = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert hashlib.sha256(preprocess(frame, InputSpec(32, 32)).tobytes()).hexdigest()[:16] == digest
