"""The region of a frame: which pixels it means, that nothing else is seen, and the mark that images carry."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_runtime.contract import InputSpec, Region
from edge_runtime.errors import ModelError, UsageError
from edge_runtime.pixels.image_file import decode_image
from edge_runtime.pixels.jpeg_region import mark_region, read_region
from edge_runtime.pixels.preprocess import find_crop_box, preprocess
from edge_runtime.pixels.region import cut_input, cut_region, find_region_box, parse_region, region_of
from edge_runtime.pixels.shrink import choose_reduction, decode_shrunk, read_jpeg_header
from edge_runtime.pixels.yuyv import yuyv_to_bgr

QUARTER = Region(0.5, 0.25, 0.25, 0.5)
MODES = ("stretch", "crop", "letterbox")


def encode(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()


def test_fractions_become_pixels() -> None:
    assert find_region_box(480, 640, None) == (0, 0, 480, 640)
    assert find_region_box(480, 640, QUARTER) == (120, 320, 240, 160)
    assert find_region_box(3, 3, Region(0.99, 0.99, 0.01, 0.01)) == (2, 2, 1, 1)
    assert find_region_box(10, 10, Region(0.7, 0.7, 0.3, 0.3)) == (7, 7, 3, 3)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_outside_of_the_region_changes_nothing(mode: str) -> None:
    chance = np.random.default_rng(1)
    frame = chance.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    spec = InputSpec(32, 48, mode)
    seen = preprocess(frame, cut_input(spec, QUARTER))
    other = chance.integers(0, 256, frame.shape, dtype=np.uint8)
    other[120:360, 320:480] = frame[120:360, 320:480]
    assert np.array_equal(preprocess(other, cut_input(spec, QUARTER)), seen)
    assert np.array_equal(preprocess(np.ascontiguousarray(frame[120:360, 320:480]), spec), seen)
    assert not np.array_equal(preprocess(frame, spec), seen)


def test_a_cropping_model_crops_within_the_region() -> None:
    assert find_crop_box(480, 640, cut_input(InputSpec(32, 32, "crop"), QUARTER)) == (160, 320, 160, 160)


def test_a_jpeg_is_shrunk_only_as_far_as_the_region_allows() -> None:
    spec = InputSpec(32, 32)
    assert choose_reduction(480, 640, spec) == 8
    assert choose_reduction(480, 640, cut_input(spec, QUARTER)) == 4
    assert choose_reduction(480, 640, cut_input(spec, Region(0.0, 0.0, 0.05, 1.0))) == 1


@pytest.mark.parametrize("mode", MODES)
def test_the_shrunk_frame_shows_the_same_region(mode: str) -> None:
    frame = np.zeros((480, 640, 3), np.uint8)
    frame[120:360, 320:480] = (0, 0, 255)
    spec = cut_input(InputSpec(24, 16, mode), QUARTER)
    shrunk = decode_shrunk(encode(frame), "frame", spec)
    assert shrunk.shape == (60, 80, 3)
    assert preprocess(shrunk, spec)[4:-4, 4:-4].mean(axis=(0, 1)) == pytest.approx((254, 0, 0), abs=3)


def test_a_yuyv_frame_is_reduced_no_further_than_the_region_allows() -> None:
    raw = np.full((480, 640, 2), 128, np.uint8)
    assert yuyv_to_bgr(raw, InputSpec(32, 32)).shape == (60, 80, 3)
    assert yuyv_to_bgr(raw, cut_input(InputSpec(32, 32), QUARTER)).shape == (120, 160, 3)


def test_an_input_without_a_region_stays_the_same_value() -> None:
    spec = InputSpec(32, 32)
    assert cut_input(spec, None) is spec and region_of(spec) is None
    assert region_of(cut_input(spec, QUARTER)) == QUARTER
    pixels = np.zeros((4, 4, 3), np.uint8)
    assert cut_region(pixels, None) is pixels


def test_a_region_is_read_as_it_is_written() -> None:
    assert parse_region("0.5,0.25,0.25,0.5") == QUARTER
    assert parse_region(str(QUARTER)) == QUARTER
    assert parse_region("0.7,0.7,0.3,0.3").width == 0.3  # 0.7 + 0.3 is above 1 by a rounding error


@pytest.mark.parametrize(
    "text", ["120,80,200,200", "0.5,0.5,0.6,0.1", "-0.1,0,1,1", "0,0,0.001,1", "nan,0,1,1", "0,0,inf,1"]
)
def test_a_region_outside_of_the_frame_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"`region` is .*, expected X,Y,W,H in fractions of the frame: from 0 to 1"):
        parse_region(text)
    with pytest.raises(ModelError, match="The region is"):
        Region(*map(float, text.split(",")))


@pytest.mark.parametrize("text", ["", "0.1,0.2", "a,b,c,d", "0,0,1,1,1"])
def test_what_is_no_region_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"`region` is '.*', expected X,Y,W,H in fractions of the frame such as"):
        parse_region(text)


def test_the_mark_travels_inside_the_jpeg_and_changes_no_pixel() -> None:
    jpeg = encode(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    marked = mark_region(jpeg, QUARTER)
    assert read_region(marked) == QUARTER and read_region(jpeg) is None
    assert np.array_equal(decode_image(marked, "marked"), decode_image(jpeg, "plain"))
    assert read_jpeg_header(marked) == read_jpeg_header(jpeg)
    assert marked[2:4] == jpeg[2:4] == b"\xff\xe0"  # JFIF's own segment stays the first
    assert mark_region(jpeg, None) is jpeg


@pytest.mark.parametrize("length", range(0, 40, 3))
def test_a_damaged_or_foreign_file_carries_no_region(length: int) -> None:
    marked = mark_region(encode(np.zeros((8, 8, 3), np.uint8)), QUARTER)
    assert read_region(marked[:length]) is None
    assert read_region(b"\x89PNG" + marked) is None
    assert read_region(marked.replace(b"region=0.5", b"region=9.5")) is None
