"""Backgrounds for an image that a camera sees from further away: drawn, so that nobody's photos have to ship.

Plain colours, gradients, textures and piles of overlapping shapes; pieces of the embedded CIFAR-10 images, which are
photos; and the user's own images of the empty scene, if there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.pixels.preprocess import Image

# Piles and textures take milliseconds to draw: this many are drawn at the start, and cropped anew each time.
NUM_DRAWN = 96
# Enlarged in one way only, photos of none of the classes would be known by that: 98 % of CIFAR-10 images enlarged
# linearly, as in training, were called unknown, and 88 to 92 % of the same ones enlarged cubically.
ENLARGING = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
# How often the user's own empty scene is the background.
OWN_SHARE = 0.5


class Backgrounds:
    """Draws backgrounds of any size: ``photos`` (n, h, w, 3) are small photos of anything, ``own`` the empty scene."""

    def __init__(self, side: int, photos: NDArray[np.uint8], own: Sequence[Image], seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._photos, self._own = photos, own
        self._drawn = [(draw_heap if number % 2 else draw_texture)(side, rng) for number in range(NUM_DRAWN)]

    def draw(self, height: int, width: int, rng: np.random.Generator) -> Image:
        """One (height, width, 3) uint8 RGB background."""
        own = self.draw_empty_scene(height, width, rng) if rng.random() < OWN_SHARE else None
        if own is not None:
            return own
        kinds: list[Callable[[int, int, np.random.Generator], Image]]
        kinds = [draw_plain, draw_gradient, self._drawn_before, self._drawn_before]
        if len(self._photos):
            kinds += [self._photo, self._mosaic]
        return kinds[int(rng.integers(len(kinds)))](height, width, rng)

    def draw_empty_scene(self, height: int, width: int, rng: np.random.Generator) -> Image | None:
        """One view of the user's own empty scene, or None where there is none."""
        if not self._own:
            return None
        return _piece(self._own[int(rng.integers(len(self._own)))], height, width, 0.5, rng)

    def draw_photos(self, height: int, width: int, rng: np.random.Generator) -> Image:
        """One small photo of anything, or several side by side; something drawn where there are no photos."""
        if not len(self._photos):
            return self._drawn_before(height, width, rng)
        return (self._photo if rng.random() < 0.5 else self._mosaic)(height, width, rng)

    def _drawn_before(self, height: int, width: int, rng: np.random.Generator) -> Image:
        return _piece(self._drawn[int(rng.integers(len(self._drawn)))], height, width, 0.15, rng)

    def _photo(self, height: int, width: int, rng: np.random.Generator) -> Image:
        return _piece(self._photos[int(rng.integers(len(self._photos)))], height, width, 0.25, rng)

    def _mosaic(self, height: int, width: int, rng: np.random.Generator) -> Image:
        """3 x 3 photos side by side: as many edges and colours as a real room has."""
        tiles = self._photos[rng.integers(0, len(self._photos), 9)]
        size = tiles.shape[1]
        sheet = tiles.reshape(3, 3, size, size, 3).transpose(0, 2, 1, 3, 4).reshape(3 * size, 3 * size, 3)
        return _piece(np.ascontiguousarray(sheet), height, width, 0.3, rng)


def choose_colour(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3,) from 0 to 255: any brightness, mostly near grey, as walls, tables and floors are."""
    return np.clip(rng.uniform(0, 255) + rng.exponential(25) * rng.normal(0, 1, 3), 0, 255)


def draw_plain(height: int, width: int, rng: np.random.Generator) -> Image:
    """One colour: black or white every third time, as bars around a frame are."""
    chosen = choose_colour(rng) if rng.random() < 0.67 else np.full(3, rng.choice([0, 0, 255]), np.float64)
    return np.broadcast_to(chosen.astype(np.uint8), (height, width, 3)).copy()


def draw_gradient(height: int, width: int, rng: np.random.Generator) -> Image:
    """Four corners' colours, blended: a wall or a table in uneven light."""
    corners = np.clip(choose_colour(rng) + rng.normal(0, 35, (2, 2, 1)) + rng.normal(0, 12, (2, 2, 3)), 0, 255).astype(
        np.uint8
    )
    return cast(Image, cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR))


def draw_texture(side: int, rng: np.random.Generator) -> Image:
    """Noise of several sizes on one colour, as grass, wood, cloth and plaster have it."""
    total = np.zeros((side, side, 3), np.float32)
    stretch = 2.0 ** rng.uniform(-2, 2)
    for cells in (4, 8, 16, 32, 64):
        shape = (max(2, round(cells * stretch)), max(2, round(cells / stretch)), 3)
        grain = rng.normal(0, 1, shape).astype(np.float32)
        grain = 0.3 * grain + 0.7 * grain.mean(axis=2, keepdims=True)
        total += rng.uniform(0, 1) * cv2.resize(grain, (side, side), interpolation=cv2.INTER_CUBIC)
    return cast(Image, np.clip(choose_colour(rng) + rng.uniform(8, 40) * total, 0, 255).astype(np.uint8))


def draw_heap(side: int, rng: np.random.Generator) -> Image:
    """Shapes of all sizes over each other ("dead leaves"), which have the statistics of natural images."""
    image = np.empty((side, side, 3), np.uint8)
    palette = np.stack([choose_colour(rng) for _ in range(6)])
    image[:] = palette[0]
    for radius in np.sort(side * 0.5 * rng.power(0.4, 150).clip(0.02))[::-1]:
        near = np.clip(palette[rng.integers(6)] + rng.normal(0, 20, 3), 0, 255).tolist()
        centre = rng.integers(0, side, 2)
        fill_shape(image, centre, float(radius), near, rng)
    return image


def fill_shape(
    image: NDArray[np.uint8], centre: NDArray[np.int64], radius: float, paint: Sequence[float], rng: np.random.Generator
) -> None:
    """Fills an ellipse or a polygon of three to eight corners into ``image``."""
    if rng.random() < 0.4:
        axes = (max(1, round(radius)), max(1, round(radius * rng.uniform(0.3, 1))))
        cv2.ellipse(image, centre.tolist(), axes, rng.uniform(0, 180), 0, 360, paint, -1, cv2.LINE_AA)
        return
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
    reach = radius * rng.uniform(0.5, 1.2, len(angles))
    corners = centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * reach[:, None]
    cv2.fillPoly(image, [np.rint(corners).astype(np.int32)], paint, cv2.LINE_AA)


def _piece(image: Image, height: int, width: int, least_area: float, rng: np.random.Generator) -> Image:
    """A random part of at least this share of ``image``, mirrored or not, in another size, by any of `ENLARGING`."""
    share = np.sqrt(rng.uniform(least_area, 1))
    rows, columns = max(2, round(image.shape[0] * share)), max(2, round(image.shape[1] * share))
    top, left = (
        int(rng.integers(0, whole - part + 1)) for whole, part in zip(image.shape[:2], (rows, columns), strict=True)
    )
    part = image[top : top + rows, left : left + columns][:, :: int(rng.choice([-1, 1]))]
    way = ENLARGING[int(rng.integers(len(ENLARGING)))]
    return cast(Image, cv2.resize(np.ascontiguousarray(part), (width, height), interpolation=way))
