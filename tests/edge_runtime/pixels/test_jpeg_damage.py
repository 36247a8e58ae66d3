"""Damaged JPEG images are told from whole ones: by what the decoder says, by its padding, by a stair of light."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError
from edge_runtime.pixels.jpeg import ScanLayout, read_scan_layout
from edge_runtime.pixels.jpeg_damage import Shifts
from edge_runtime.pixels.jpeg_stair import has_stair
from edge_runtime.pixels.shrink import decode_camera_image, read_shrunk

SPECS = [None, InputSpec(200, 200), InputSpec(96, 96), InputSpec(32, 32)]
SHIFT = r"is damaged: its colours shift in the middle of a row of blocks, so a part of its data is lost\."


def draw_scene(height: int = 480, width: int = 640, seed: int = 5) -> np.ndarray:
    """A scene with shapes of all sizes, soft and hard, and a sensor's noise."""
    rng = np.random.default_rng(seed)
    scene = np.full((height, width, 3), 120, np.float32)
    for cells in (3, 9, 30, 90):
        grid = rng.normal(0, 24, (cells, cells * 4 // 3, 3)).astype(np.float32)
        scene += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        colour = tuple(float(each) for each in rng.uniform(40, 200, 3))
        cv2.ellipse(scene, centre, (int(rng.integers(20, 120)), int(rng.integers(20, 90))), 30, 0, 360, colour, -1)
    return np.clip(scene + rng.normal(0, 2, scene.shape), 0, 255).astype(np.uint8)


def encode(image: np.ndarray, sampling: str = "420", restart: int = 0, quality: int = 85) -> bytes:
    factor = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}")
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    return cv2.imencode(".jpg", image, [*options, cv2.IMWRITE_JPEG_RST_INTERVAL, restart])[1].tobytes()


def shift_from(image: np.ndarray, group: int, step: Any, side: int = 16, end: int | None = None) -> np.ndarray:
    """``image`` with all groups of blocks from number ``group`` on, in the order of the scan, off by ``step``."""
    across = image.shape[1] // side
    order = np.arange(image.shape[0] // side * across).reshape(-1, across)
    is_off = (order >= group) & (order < (order.size if end is None else end))
    mask = np.kron(is_off, np.ones((side, side), bool))[..., None]
    return np.clip(image.astype(np.int16) + mask * np.array(step, np.int16), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("step", [(60, 60, 60), (-60, -60, -60), (-10, -8, 60)])
def test_an_image_that_is_off_from_some_block_on_is_damaged(spec: InputSpec | None, step: tuple[int, ...]) -> None:
    scene = draw_scene()
    assert decode_camera_image(encode(scene), "it", spec) is not None
    for group in (7 * 40 + 13, 20 * 40 + 30):
        with pytest.raises(DataError, match=SHIFT):
            decode_camera_image(encode(shift_from(scene, group, step)), "it", spec)


def test_the_stair_is_found_whatever_the_size_of_the_groups_and_up_to_a_restart() -> None:
    scene = draw_scene()
    for sampling, side, restart, end in (("444", 8, 0, None), ("420", 16, 80, 9 * 40 + 40), ("444", 8, 320, 44 * 80)):
        group = 8 * 40 + 10 if side == 16 else 41 * 80 + 30
        content = encode(shift_from(scene, group, (35, 35, 35), side, end), sampling, restart)
        with pytest.raises(DataError, match=SHIFT):
            decode_camera_image(content, "it", None)


def test_bits_that_were_flipped_without_the_decoders_notice_are_found_in_the_pixels() -> None:
    """Of such images, those that look damaged; the decoder alone takes every one of them."""
    content = encode(draw_scene())
    begin, rng = content.index(b"\xff\xda") + 14, np.random.default_rng(3)
    whole = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    num_silent = num_found = 0
    while num_silent < 12:
        flipped = bytearray(content)
        flipped[int(rng.integers(begin, len(content) - 2))] ^= 1 << int(rng.integers(8))
        said = ""
        try:
            other = decode_camera_image(bytes(flipped), "it", None)
        except DataError as error:
            said = str(error)
            if not re.search(SHIFT, said):
                continue
        if said or float((cv2.absdiff(whole, other).max(axis=2) > 16).mean()) > 0.02:
            num_silent, num_found = num_silent + 1, num_found + bool(said)
    assert num_found >= 8


@pytest.mark.parametrize("spec", SPECS)
def test_edges_of_things_are_no_damage(spec: InputSpec | None) -> None:
    scene = draw_scene()
    bars, caption, dark, screen, stripes = (scene.copy() for _ in range(5))
    bars[:64] = bars[-64:] = 0
    bars[:, :96] = bars[:, -96:] = 0
    caption[-80:] = 20
    cv2.putText(caption, "2026-11-30 12:00:00 CAM 1", (10, 440), 0, 0.8, (200, 255, 255), 2)
    dark[:] = np.clip(scene * 0.1 + np.random.default_rng(1).normal(8, 5, scene.shape), 0, 255).astype(np.uint8)
    screen[:] = 240
    screen[32:352, 208:] = (90, 60, 30)
    screen[48:368, :208] = (90, 60, 30)
    stripes[:] = 60
    stripes[::32] = stripes[1::32] = 200
    shadow = scene.astype(np.float32)
    shadow[208:] *= 0.5
    for image in (bars, caption, dark, stripes, shadow.astype(np.uint8)):
        for sampling in ("420", "444"):
            assert decode_camera_image(encode(image, sampling, restart=40), "it", spec) is not None


def test_a_flat_image_and_one_of_a_few_blocks_have_no_stair() -> None:
    assert not has_stair(np.full((480, 640, 3), 90, np.uint8), ScanLayout(16, 16))
    assert not has_stair(draw_scene(32, 48), ScanLayout(16, 16))
    assert not has_stair(draw_scene(20, 640), ScanLayout(16, 16))


def test_a_colour_that_fades_to_beyond_black_at_the_edge_is_no_division_by_zero() -> None:
    """Carried on from 5 and 1, the line at the edge would be at -1; a warning would fail this test."""
    image = shift_from(draw_scene(), 8 * 40, (60, 60, 60))
    image[8 * 16 - 3, 160:192], image[8 * 16 - 2, 160:192] = 5, 1
    assert has_stair(image, ScanLayout(16, 16))


@pytest.mark.parametrize("padding", [b"\0" * 7, b"\0" * 40, b"\xff" * 40])
def test_what_a_chip_pads_with_is_no_damage(padding: bytes) -> None:
    content = encode(draw_scene(240, 320))
    assert decode_camera_image(content[:-2] + padding + content[-2:], "it", None).shape == (240, 320, 3)


@pytest.mark.parametrize("extra", [b"\x12\x34\x56\x78\x9a\xbc\xde" * 2, b"\0" * 400])
def test_bytes_that_found_no_place_in_the_image_are_damage(extra: bytes) -> None:
    content = encode(draw_scene(240, 320))
    with pytest.raises(DataError, match=r"is damaged: Corrupt JPEG data: \d+ extraneous bytes before marker 0xd9\."):
        decode_camera_image(content[:-2] + extra + content[-2:], "it", None)


def test_a_scene_that_goes_on_looking_shifted_is_believed() -> None:
    whole = encode(draw_scene())
    shifted = encode(shift_from(draw_scene(), 7 * 40 + 13, (60, 60, 60)))
    shifts = Shifts()
    for content in (shifted, shifted, shifted, whole, shifted, shifted, shifted):
        if content is shifted:
            with pytest.raises(DataError, match=SHIFT):
                decode_camera_image(content, "it", None, shifts)
        else:
            decode_camera_image(content, "it", None, shifts)
    assert decode_camera_image(shifted, "it", None, shifts) is not None
    with pytest.raises(DataError, match=SHIFT):  # another camera's images, and single ones, stand for themselves
        decode_camera_image(shifted, "it", None)


def test_on_a_line_that_loses_data_what_looks_shifted_stays_damage() -> None:
    whole, shifts = encode(draw_scene()), Shifts()
    shifted = encode(shift_from(draw_scene(), 7 * 40 + 13, (60, 60, 60)))
    for content in (shifted, shifted, whole[: len(whole) // 2] + whole[-2:]) * 3:
        with pytest.raises(DataError, match="is damaged"):
            decode_camera_image(content, "it", None, shifts)


def test_a_file_with_a_stair_is_read_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "off.jpg").write_bytes(encode(shift_from(draw_scene(), 300, (40, 40, 40))))
    with caplog.at_level(logging.WARNING):
        assert read_shrunk(tmp_path / "off.jpg", InputSpec(96, 96)).shape == (120, 160, 3)
    assert re.search(r"off\.jpg is damaged \(its colours shift in the middle.*\); its label may be wrong", caplog.text)


def test_the_layout_of_the_scan_is_read_from_the_headers() -> None:
    scene = draw_scene(64, 96)
    assert read_scan_layout(encode(scene, "420")) == ScanLayout(16, 16)
    assert read_scan_layout(encode(scene, "422", 6)) == ScanLayout(16, 8, 6)
    assert read_scan_layout(encode(scene, "444")) == ScanLayout(8, 8)
    assert read_scan_layout(cv2.imencode(".jpg", scene[..., 0])[1].tobytes()) == ScanLayout(8, 8)
    assert ScanLayout(16, 8, 6).reduce(8) == ScanLayout(2, 1, 6)
    progressive = cv2.imencode(".jpg", scene, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert read_scan_layout(progressive) is None
    content = encode(scene)
    assert {read_scan_layout(content[:end]) for end in range(len(content))} <= {None, ScanLayout(16, 16)}
