"""Images of none of the classes, drawn for training: the answer to them should be that every class is equally likely.

Far ones (small photos of anything, and backgrounds with nothing in front) and near ones: imaginary objects on plain
backgrounds, and photos of the classes themselves cut into shuffled tiles, which have their colours and textures but
not the object.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from edge_runtime.pixels.preprocess import Image
from train.transfer.scenes.backgrounds import Backgrounds, draw_gradient, draw_plain, fill_shape

# How often the user's own empty scene is used, if there is one.
EMPTY_SHARE = 0.4
# How often the image is of small photos of anything: what is real teaches more than what is drawn.
PHOTO_SHARE = 0.4


def draw_out_of_distribution(
    photo: Image, height: int, width: int, backgrounds: Backgrounds, rng: np.random.Generator
) -> Image:
    """One (height, width, 3) uint8 RGB image of none of the classes; ``photo`` is one of a class."""
    empty = backgrounds.draw_empty_scene(height, width, rng) if rng.random() < EMPTY_SHARE else None
    if empty is not None:
        return empty
    kind = rng.random()
    if kind < PHOTO_SHARE:
        return backgrounds.draw_photos(height, width, rng)
    if kind < 0.55:
        return backgrounds.draw(height, width, rng)
    if kind < 0.82:
        return draw_thing(height, width, backgrounds, rng)
    return shuffle_tiles(cast(Image, cv2.resize(photo, (width, height), interpolation=cv2.INTER_LINEAR)), rng)


def draw_thing(height: int, width: int, backgrounds: Backgrounds, rng: np.random.Generator) -> Image:
    """A few joined shapes with a texture and a soft shadow on a plain background: an unknown object."""
    frame = (draw_plain if rng.random() < 0.4 else draw_gradient)(height, width, rng)
    mask = np.zeros((height, width), np.uint8)
    centre = np.array([width, height]) * rng.uniform(0.35, 0.65, 2)
    reach = min(height, width) * rng.uniform(0.15, 0.4)
    for _ in range(int(rng.integers(1, 5))):
        spot = (centre + rng.normal(0, reach / 2, 2)).astype(np.int64)
        fill_shape(mask, spot, reach * rng.uniform(0.4, 1), [255], rng)
    covering = backgrounds.draw(height, width, rng)
    shadow = cv2.GaussianBlur(mask, (0, 0), max(1.0, reach / 8)).astype(np.float32)[..., None] / 255
    frame = (frame * (1 - rng.uniform(0, 0.5) * shadow)).astype(np.uint8)
    share = cv2.GaussianBlur(mask, (0, 0), 0.7).astype(np.float32)[..., None] / 255
    return cast(Image, np.rint(frame * (1 - share) + covering * share).astype(np.uint8))


def shuffle_tiles(image: Image, rng: np.random.Generator) -> Image:
    """The image cut into 3 x 3 to 6 x 6 tiles in another order."""
    num = int(rng.integers(3, 7))
    rows, columns = image.shape[0] // num, image.shape[1] // num
    tiles = image[: rows * num, : columns * num].reshape(num, rows, num, columns, 3).swapaxes(1, 2)
    tiles = rng.permutation(tiles.reshape(num * num, rows, columns, 3)).reshape(num, num, rows, columns, 3)
    whole = np.ascontiguousarray(tiles.swapaxes(1, 2).reshape(rows * num, columns * num, 3))
    return cast(Image, cv2.resize(whole, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR))
