"""Other light, and what a lens and a sensor do to an image: changes that leave its class alone.

Pure: the caller passes the random generator. Strengths are drawn evenly from the ranges below, those of `BRIGHTNESS`
on a logarithmic scale.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Change = Callable[[Image, np.random.Generator], Image]
BRIGHTNESS = (0.2, 1.6)
CONTRAST = (0.4, 1.4)
GAIN = (0.6, 1.4)  # of red and of blue against green: warm and cold light
GREY = (0.4, 1.0)  # how much of the colour is lost
BLUR = (0.4, 1.5)  # the Gaussian's sigma in pixels
NOISE = (2.0, 24.0)  # sigma in steps of 255
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
SECOND_CHANGE = 0.3  # share of the changed images that get another change on top


def relight(images: NDArray[np.uint8], share: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The (n, h, w, 3) uint8 RGB images, about ``share`` of them changed in one way or two."""
    out = images.copy()
    for i in np.flatnonzero(rng.random(len(images)) < share):
        image = images[i].astype(np.float32)
        for _ in range(2 if rng.random() < SECOND_CHANGE else 1):
            image = CHANGES[int(rng.integers(len(CHANGES)))](image, rng)
        out[i] = np.rint(image).clip(0, 255).astype(np.uint8)
    return out


def _brightness(image: Image, rng: np.random.Generator) -> Image:
    return image * np.float32(np.exp(rng.uniform(*np.log(BRIGHTNESS))))


def _contrast(image: Image, rng: np.random.Generator) -> Image:
    mean = np.float32(image.mean())
    return mean + (image - mean) * np.float32(rng.uniform(*CONTRAST))


def _colour(image: Image, rng: np.random.Generator) -> Image:
    red, blue = rng.uniform(*GAIN, 2)
    return image * np.array([red, 1.0, blue], np.float32)


def _grey(image: Image, rng: np.random.Generator) -> Image:
    grey: Image = (image @ LUMA)[..., None]
    return image + (grey - image) * np.float32(rng.uniform(*GREY))


def _blur(image: Image, rng: np.random.Generator) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(*BLUR)), np.float32)


def _noise(image: Image, rng: np.random.Generator) -> Image:
    return image + rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(*NOISE))


CHANGES: tuple[Change, ...] = (_brightness, _contrast, _colour, _grey, _blur, _noise)
