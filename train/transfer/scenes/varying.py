"""Random changes that keep a photo a photo: another crop, a mirror image, other light. Training images only.

Pure: the caller passes the random generator. Rotation, blur and cut-outs did not pay on validation images.
"""

from __future__ import annotations

import math
from typing import cast

import cv2
import numpy as np

from edge_runtime.pixels.preprocess import Image
from train.recipes.transfer_config import TransferRecipe

MAX_ASPECT_CHANGE = 4 / 3


def vary(
    image: Image, height: int, width: int, recipe: TransferRecipe, rng: np.random.Generator, *, mirrored: bool
) -> Image:
    """(h, w, 3) uint8 RGB pixels of any size -> (height, width, 3) uint8 RGB, as another photo of the same thing could
    show it; ``mirrored`` when its mirror image could.
    """
    changed = resize(crop_randomly(image, recipe.crop_area, rng), height, width)
    if mirrored and rng.random() < 0.5:
        changed = changed[:, ::-1]
    return vary_light(changed, recipe.jitter, rng) if recipe.jitter else np.ascontiguousarray(changed)


def crop_randomly(image: Image, least_area: float, rng: np.random.Generator) -> Image:
    """A part of at least ``least_area`` of the image's area, of nearly its proportions, anywhere in it."""
    height, width = image.shape[:2]
    area = rng.uniform(least_area, 1.0)
    aspect = math.exp(rng.uniform(-math.log(MAX_ASPECT_CHANGE), math.log(MAX_ASPECT_CHANGE)))
    rows = max(1, min(height, round(height * math.sqrt(area / aspect))))
    columns = max(1, min(width, round(width * math.sqrt(area * aspect))))
    top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
    return image[top : top + rows, left : left + columns]


def resize(image: Image, height: int, width: int) -> Image:
    """The (height, width, 3) uint8 image, averaged where it shrinks much."""
    shrinks = image.shape[0] >= 2 * height
    return cast(
        Image, cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    )


def vary_light(image: Image, jitter: float, rng: np.random.Generator) -> Image:
    """Saturation, contrast and brightness each times a factor of 1 - jitter to 1 + jitter, as one linear map."""
    saturation, contrast, brightness = rng.uniform(1 - jitter, 1 + jitter, 3)
    mean = image.mean()
    # Each colour moves away from (or towards) the pixel's grey, then the whole away from the image's mean.
    mixing = np.full((3, 3), (1 - saturation) / 3) + np.eye(3) * saturation
    offset = mean * (1 - contrast) * brightness
    linear = np.hstack([mixing * contrast * brightness, np.full((3, 1), offset)])
    return cast(Image, cv2.transform(np.ascontiguousarray(image), linear))
