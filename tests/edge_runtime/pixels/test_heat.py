"""The heat is drawn where the model looked, whatever its input makes of the frame."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.contract import InputSpec, Region
from edge_runtime.pixels.heat import COLOUR, draw_heat, encode_png, find_heat_box
from edge_runtime.pixels.region import cut_input

GREY = 102  # 128, with less light


def one_cell(row: int, column: int) -> np.ndarray:
    shares = np.zeros((4, 4), np.float32)
    shares[row, column] = 1
    return shares


def hottest(drawn: np.ndarray) -> tuple[int, int]:
    """The (x, y) of the most orange pixel: the middle of all that are."""
    excess = drawn[..., 2].astype(int) - drawn[..., 0]
    rows, columns = np.nonzero(excess == excess.max())
    return round(columns.mean()), round(rows.mean())


@pytest.mark.parametrize(
    ("resize", "shape", "expected"),
    [
        ("stretch", (80, 160), (60, 30)),
        ("crop", (80, 160), (40 + 30, 30)),
        ("letterbox", (80, 160), (60, (1.5 - 1) / 2 * 80)),
        ("letterbox", (160, 80), ((1.5 - 1) / 2 * 80, 60)),
    ],
)
def test_a_cell_lies_where_the_model_saw_it(resize: str, shape: tuple[int, int], expected: tuple[int, int]) -> None:
    frame = np.full((*shape, 3), 128, np.uint8)
    drawn = draw_heat(frame, one_cell(1, 1), InputSpec(32, 32, resize))
    assert drawn.shape == frame.shape and drawn.dtype == np.uint8
    x, y = hottest(drawn)
    assert abs(x - expected[0]) <= 4 and abs(y - expected[1]) <= 4
    strongest = drawn[y, x].astype(int)
    assert strongest[2] > 200 and strongest[0] < 40, "orange"
    assert frame.min() == 128, "the frame itself stays as it was"


def test_what_a_crop_leaves_out_stays_grey() -> None:
    drawn = draw_heat(np.full((80, 160, 3), 128, np.uint8), np.ones((4, 4), np.float32), InputSpec(32, 32, "crop"))
    np.testing.assert_array_equal(drawn[:, :40], GREY)
    np.testing.assert_array_equal(drawn[:, 120:], GREY)
    expected = np.rint(GREY + (np.array(COLOUR) - GREY) * 0.8)
    assert np.abs(drawn[:, 40:120] - expected).max() <= 1


def test_where_nothing_speaks_for_the_class_the_image_is_grey() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    drawn = draw_heat(frame, np.zeros((3, 3), np.float32), InputSpec(8, 8))
    assert (drawn == drawn[..., :1]).all()


def test_it_is_written_as_png() -> None:
    assert encode_png(np.zeros((2, 3, 3), np.uint8)).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("resize", "shape", "expected"),
    [
        ("stretch", (80, 160), (0, 0, 1, 1)),
        ("crop", (80, 160), (0.25, 0, 0.5, 1)),
        ("letterbox", (80, 160), (0, -0.5, 1, 2)),
        ("letterbox", (160, 80), (-0.5, 0, 2, 1)),
    ],
)
def test_the_whole_input_lies_there(
    resize: str, shape: tuple[int, int], expected: tuple[float, float, float, float]
) -> None:
    assert find_heat_box(*shape, InputSpec(32, 32, resize)) == pytest.approx(expected)


def test_of_a_region_the_input_lies_inside() -> None:
    spec = cut_input(InputSpec(32, 32), Region(0.5, 0.25, 0.25, 0.5))
    assert find_heat_box(80, 160, spec) == pytest.approx((0.5, 0.25, 0.25, 0.5))
