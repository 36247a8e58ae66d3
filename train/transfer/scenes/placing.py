"""An image as part of a camera's frame: smaller, off-centre, in front of something else."""

from __future__ import annotations

import math
from typing import cast

import cv2
import numpy as np

from edge_runtime.pixels.preprocess import Image
from train.transfer.scenes.backgrounds import Backgrounds

# The shapes of frames, width to height, and how often each occurs.
FRAMES, FRAME_SHARES = (4 / 3, 16 / 9, 1.0, 3 / 4), (0.5, 0.2, 0.15, 0.15)
# How much of the frame's height or width the image fills: all of it (bars at two sides) or less.
WHOLE_SHARE, LEAST_SIDE = 0.25, 0.4
SMALLER = 1.25  # above 1: small ones, which are hard, come more often than large ones
MOST_TURN = 10.0  # degrees


def choose_box(aspect: float | None, height: int, width: int, rng: np.random.Generator) -> tuple[int, int]:
    """(rows, columns) of an input of (height, width) that a photo covers.

    ``aspect`` is its width to height where the frame, whatever its shape, was squeezed into the input; None where
    the input keeps the frame's proportions.
    """
    frame = float(rng.choice(FRAMES, p=FRAME_SHARES))
    side = 1.0 if rng.random() < WHOLE_SHARE else LEAST_SIDE + (1 - LEAST_SIDE) * rng.random() ** SMALLER
    wide = (1.0 if aspect is None else aspect / frame) * math.exp(rng.uniform(-0.1, 0.1))
    return max(8, round(height * side * min(1, 1 / wide))), max(8, round(width * side * min(1, wide)))


def place(
    image: Image, aspect: float | None, height: int, width: int, backgrounds: Backgrounds, rng: np.random.Generator
) -> Image:
    """The (height, width, 3) uint8 RGB frame that shows ``image`` in front of a background."""
    rows, columns = choose_box(aspect, height, width, rng)
    frame = backgrounds.draw(height, width, rng)
    # Half of the time in the middle, where people hold things.
    spot = rng.random(2) if rng.random() < 0.5 else np.full(2, 0.5)
    top, left = round((height - rows) * spot[0]), round((width - columns) * spot[1])
    shrinks = image.shape[0] * image.shape[1] > 2 * rows * columns
    small = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    frame[top : top + rows, left : left + columns] = small
    return frame


def turn(image: Image, rng: np.random.Generator) -> Image:
    """The image turned by up to MOST_TURN degrees; the empty corners get the mean colour of its edges."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-MOST_TURN, MOST_TURN), 1.0)
    edge = np.concatenate([image[0], image[-1]]).mean(axis=0).tolist()
    return cast(Image, cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_CONSTANT, borderValue=edge))
