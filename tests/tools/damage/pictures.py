"""Undamaged images of many kinds, encoded as cameras do: photos, video, screens, gradients, night, black bars, text.

Everything follows from a random generator, so one seed is one set of images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

Pixels = np.ndarray
SIZES_WH = ((320, 240), (640, 480), (640, 480), (800, 600), (1280, 720), (353, 271))
QUALITIES = (40, 50, 60, 70, 75, 80, 85, 90, 95)
SAMPLINGS = ("420", "420", "422", "444")


def list_photos(folders: Sequence[str]) -> list[Path]:
    """Every JPEG, PNG and MP4 file below ``folders``, sorted."""
    suffixes = (".jpg", ".jpeg", ".png", ".mp4")
    return sorted(path for folder in folders for path in Path(folder).rglob("*") if path.suffix.lower() in suffixes)


def read_photo(path: Path, rng: np.random.Generator) -> Pixels:
    """The (h, w, 3) uint8 BGR image at ``path``; of a video, some frame."""
    if path.suffix == ".mp4":
        video = cv2.VideoCapture(str(path))
        video.set(cv2.CAP_PROP_POS_FRAMES, int(rng.integers(0, max(1, int(video.get(cv2.CAP_PROP_FRAME_COUNT)) - 2))))
        return video.read()[1]
    return cv2.imread(str(path), cv2.IMREAD_COLOR)


def draw_photo(path: Path, rng: np.random.Generator) -> Pixels:
    """The photo at ``path`` as a camera of some resolution would see it: cropped to fill, with a sensor's noise."""
    photo, (width, height) = read_photo(path, rng), SIZES_WH[int(rng.integers(len(SIZES_WH)))]
    scale = max(width / photo.shape[1], height / photo.shape[0])
    resized = cv2.resize(
        photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    resized = cv2.resize(resized, (max(width, resized.shape[1]), max(height, resized.shape[0])))
    top, left = (resized.shape[0] - height) // 2, (resized.shape[1] - width) // 2
    crop = resized[top : top + height, left : left + width].astype(np.float32)
    noise = float(rng.choice([0, 1, 2, 5]))
    return np.clip(crop + rng.normal(0, noise, crop.shape) if noise else crop, 0, 255).astype(np.uint8)


def encode(pixels: Pixels, rng: np.random.Generator) -> bytes:
    """``pixels`` as a JPEG of some quality and sampling, with restart markers in one of three."""
    options = [cv2.IMWRITE_JPEG_QUALITY, int(rng.choice(QUALITIES))]
    sampling = str(rng.choice(SAMPLINGS))
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}")]
    if rng.random() < 1 / 3:
        row = -(-pixels.shape[1] // (8 if sampling == "444" else 16))
        options += [cv2.IMWRITE_JPEG_RST_INTERVAL, int(rng.choice([4, 7, row, 4 * row]))]
    options += [cv2.IMWRITE_JPEG_OPTIMIZE, int(rng.random() < 0.15)]
    return cv2.imencode(".jpg", pixels, options)[1].tobytes()


def draw_screen(rng: np.random.Generator) -> Pixels:
    """Windows, bars and text on a plain background: horizontal edges everywhere, many on the lines of JPEG blocks."""
    width, height = SIZES_WH[int(rng.integers(len(SIZES_WH)))]
    image = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(int(rng.integers(3, 30))):
        grid = int(rng.choice([1, 8, 16]))
        x, y = (int(rng.integers(0, side)) // grid * grid for side in (width, height))
        w, h = (int(rng.integers(8, side)) // grid * grid for side in (width, height))
        image[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    for line in range(int(rng.integers(0, 25))):
        at = (int(rng.integers(0, width // 2)), 14 + line * int(rng.integers(10, 24)))
        colour = tuple(int(each) for each in rng.integers(0, 256, 3))
        cv2.putText(image, "Half an image is no image 0123456789"[: int(rng.integers(4, 36))], at, 0, 0.5, colour)
    return image


def draw_gradient(rng: np.random.Generator) -> Pixels:
    """A plane of light, at times in steps, at times a chequerboard or stripes."""
    width, height = SIZES_WH[int(rng.integers(len(SIZES_WH)))]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    wave = x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)
    wave = wave * rng.uniform(0.02, 1.0)
    kind = int(rng.integers(4))
    if kind == 1:
        step = float(rng.choice([8, 16, 24, 40]))
        wave = np.floor(wave / step) * step
    if kind == 2:
        side = int(rng.choice([8, 16, 20, 32, 64]))
        wave = ((x // side + y // side) % 2) * float(rng.uniform(10, 255))
    if kind == 3:
        side = int(rng.choice([8, 16, 20, 32, 64]))
        wave = (y // side % 2) * float(rng.uniform(10, 255)) + x * 0.05
    shades = rng.uniform(0.5, 1.0, 3)
    return np.clip(128 * (kind != 2) + wave[..., None] * shades, 0, 255).astype(np.uint8)


def darken(photo: Pixels, rng: np.random.Generator) -> Pixels:
    """``photo`` at night: little light, much noise."""
    dark = photo.astype(np.float32) * rng.uniform(0.02, 0.2) + rng.normal(0, rng.uniform(1, 8), photo.shape) + 6
    return np.clip(dark, 0, 255).astype(np.uint8)


def add_bars(photo: Pixels, rng: np.random.Generator) -> Pixels:
    """``photo`` behind black bars, above and below or at the sides, or with a caption on a plain strip."""
    framed, (height, width) = photo.copy(), photo.shape[:2]
    colour, grid = int(rng.choice([0, 0, 16, 255])), int(rng.choice([1, 8, 16]))
    bar = int(rng.integers(8, height // 3)) // grid * grid
    kind = int(rng.integers(4))
    if kind in (0, 2):
        framed[:bar] = framed[height - bar :] = colour
    if kind in (1, 2):
        framed[:, :bar] = framed[:, width - bar :] = colour
    if kind == 3:
        framed[height - bar :] = colour
        cv2.putText(framed, "2026-11-30 12:00:00 CAM 1", (10, height - bar // 2), 0, 0.6, (128, 255, 255), 1)
    return framed


def draw_undamaged(photos: Sequence[Path], rng: np.random.Generator) -> tuple[str, Pixels]:
    """(kind, an image of it): half of them photos, the others what looks most like damage."""
    kinds: dict[str, Callable[[], Pixels]] = {
        "screen": lambda: draw_screen(rng),
        "gradient": lambda: draw_gradient(rng),
        "night": lambda: darken(draw_photo(photos[int(rng.integers(len(photos)))], rng), rng),
        "bars": lambda: add_bars(draw_photo(photos[int(rng.integers(len(photos)))], rng), rng),
    }
    kind = str(rng.choice([*kinds, "photo"], p=[0.125] * 4 + [0.5]))
    return kind, kinds[kind]() if kind in kinds else draw_photo(photos[int(rng.integers(len(photos)))], rng)
