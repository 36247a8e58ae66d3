"""Movement is told from noise, flicker and a clock in the corner, whatever the camera sends."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_runtime.contract import Region
from edge_runtime.errors import DataError
from edge_runtime.pixels.motion import GRID_WH, has_moved, read_cells, read_jpeg_cells, read_yuyv_cells

HEIGHT, WIDTH = 480, 640


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def scene(chance: np.random.Generator) -> np.ndarray:
    """Soft shapes of middle brightness, as float, to which noise is added."""
    rough = chance.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(rough, (0, 0), 9), None, 30, 200, cv2.NORM_MINMAX).astype(np.float32)  # type: ignore[call-overload,no-any-return]


def take(scene: np.ndarray, chance: np.random.Generator, noise: float) -> bytes:
    """A JPEG of ``scene`` by a camera with ``noise``."""
    seen = np.clip(scene + chance.normal(0, noise, scene.shape), 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def moved(
    before: np.ndarray, after: np.ndarray, chance: np.random.Generator, noise: float = 5.0, where: object = None
) -> bool:
    region = where if isinstance(where, Region) else None
    cells = [read_jpeg_cells(take(each, chance, noise), "it", region) for each in (before, after)]
    return has_moved(*cells)


def put(scene: np.ndarray, height: int, width: int, value: float, top: int = 200, left: int = 300) -> np.ndarray:
    changed = scene.copy()
    changed[top : top + height, left : left + width] += value
    return changed


@pytest.mark.parametrize("noise", [0.0, 2.0, 8.0, 20.0, 40.0])
def test_a_still_scene_does_not_move_however_noisy_the_camera(
    scene: np.ndarray, chance: np.random.Generator, noise: float
) -> None:
    cells = [read_jpeg_cells(take(scene, chance, noise), "it", None) for _ in range(25)]
    assert not any(has_moved(cells[0], each) for each in cells[1:])


@pytest.mark.parametrize("noise", [0.0, 5.0, 20.0])
@pytest.mark.parametrize("value", [40.0, -40.0])
def test_an_object_of_two_hundredths_of_the_frame_moves(
    scene: np.ndarray, chance: np.random.Generator, noise: float, value: float
) -> None:
    assert moved(scene, put(scene, 70, 90, value), chance, noise)


def test_an_object_that_fills_the_frame_and_a_switched_lamp_move(
    scene: np.ndarray, chance: np.random.Generator
) -> None:
    assert moved(scene, put(scene, HEIGHT, WIDTH, 50.0, 0, 0), chance)
    assert moved(scene, scene * 0.3, chance)
    assert moved(scene, scene[:, ::-1].copy(), chance)


def test_flicker_of_all_cells_and_a_clock_in_the_corner_do_not_move(
    scene: np.ndarray, chance: np.random.Generator
) -> None:
    assert not moved(scene, scene + 10.0, chance)
    assert not moved(scene, scene * 0.93, chance)
    assert not moved(scene, put(scene, 22, 34, 120.0, 4, 4), chance)


def test_only_the_region_counts(scene: np.ndarray, chance: np.random.Generator) -> None:
    right = Region(0.5, 0.0, 0.5, 1.0)
    assert not moved(scene, put(scene, 200, 200, 60.0, 100, 50), chance, where=right)
    assert moved(scene, put(scene, 100, 100, 60.0, 100, 400), chance, where=right)


def test_a_small_region_is_decoded_larger_so_that_noise_is_averaged(
    scene: np.ndarray, chance: np.random.Generator
) -> None:
    small = Region(0.45, 0.45, 0.1, 0.1)
    cells = [read_jpeg_cells(take(scene, chance, 8.0), "it", small) for _ in range(10)]
    assert cells[0].shape == (GRID_WH[1], GRID_WH[0])
    assert not any(has_moved(cells[0], each) for each in cells[1:])
    assert moved(scene, put(scene, 20, 20, 60.0, 230, 310), chance, where=small)


def test_all_forms_of_a_frame_give_the_same_cells(scene: np.ndarray) -> None:
    frame = scene.astype(np.uint8)
    yuv = cv2.cvtColor(frame, cv2.COLOR_BGR2YUV)
    yuyv = np.stack([yuv[..., 0], np.where(np.arange(WIDTH) % 2 == 0, yuv[..., 1], yuv[..., 2])], axis=-1)
    of_jpeg = read_jpeg_cells(cv2.imencode(".jpg", frame)[1].tobytes(), "it", None).astype(int)
    for region in (None, Region(0.25, 0.25, 0.5, 0.5)):
        of_jpeg = read_jpeg_cells(cv2.imencode(".jpg", frame)[1].tobytes(), "it", region).astype(int)
        assert np.abs(read_cells(frame, region) - of_jpeg).max() <= 8
        # A camera's YUYV counts black from 0 here as its JPEG does: OpenCV's full range.
        assert np.abs(read_yuyv_cells(yuyv, region) - of_jpeg).max() <= 8


def test_frames_smaller_than_the_grid_and_of_another_size_are_compared_too() -> None:
    tiny = np.zeros((5, 7, 3), np.uint8)
    assert read_cells(tiny, None).shape == (5, 7)
    assert not has_moved(read_cells(tiny, None), read_cells(tiny, None))
    assert has_moved(read_cells(tiny, None), read_cells(np.zeros((6, 7, 3), np.uint8), None))
    assert has_moved(np.zeros((1, 1), np.uint8), np.full((1, 1), 99, np.uint8))


def test_damaged_and_huge_images_are_refused(scene: np.ndarray, chance: np.random.Generator) -> None:
    whole = take(scene, chance, 5.0)
    with pytest.raises(DataError, match=r"it \(\d+ bytes\) is damaged: "):
        read_jpeg_cells(whole[: len(whole) // 2] + b"\xff\xd9", "it", None)
    with pytest.raises(DataError, match=r"it \(2 bytes\) has no readable JPEG header; it is damaged"):
        read_jpeg_cells(b"no", "it", None)
    layered = cv2.imencode(".jpg", np.zeros((4000, 6000, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    with pytest.raises(DataError, match=r"it has 6000x4000 pixels, decoding it takes \d+ MB; the limit is 50 MB"):
        read_jpeg_cells(layered, "it", None)
