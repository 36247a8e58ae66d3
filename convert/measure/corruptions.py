"""Corrupted images, made by code: the same seed gives the same pixels, so that models are compared on the same images.

After Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (2019):
each kind has five strengths. Lengths are pixels, meant for images of about 32x32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Pixels = NDArray[np.float32]
Change = Callable[[Pixels, float, np.random.Generator], Pixels]
LUMA_BGR = np.array([0.114, 0.587, 0.299], np.float32)
NUM_STRENGTHS = 5
SEED = 7


@dataclass(frozen=True)
class Corruption:
    """One way in which images get worse, mildest strength first; ``what`` says what the strengths measure."""

    name: str
    what: str
    strengths: tuple[float, ...]
    change: Change

    def apply(self, image: Image, level: int, index: int) -> Image:
        """The (h, w, 3) uint8 BGR ``image`` at strength ``level``, 0 to 4; noise depends on ``index`` alone."""
        rng = np.random.default_rng([SEED, level, index])
        changed = self.change(image.astype(np.float32), self.strengths[level], rng)
        return np.rint(changed).clip(0, 255).astype(np.uint8)


def _brightness(image: Pixels, factor: float, _rng: np.random.Generator) -> Pixels:
    return image * np.float32(factor)


def _contrast(image: Pixels, share: float, _rng: np.random.Generator) -> Pixels:
    mean = np.float32(image.mean())
    return mean + (image - mean) * np.float32(share)


def _warm(image: Pixels, factor: float, _rng: np.random.Generator) -> Pixels:
    return image * np.array([1 / factor, 1.0, factor], np.float32)


def _grey(image: Pixels, share: float, _rng: np.random.Generator) -> Pixels:
    grey: Pixels = (image @ LUMA_BGR)[..., None]
    return image + (grey - image) * np.float32(share)


def _blur(image: Pixels, sigma: float, _rng: np.random.Generator) -> Pixels:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def _motion(image: Pixels, length: float, _rng: np.random.Generator) -> Pixels:
    # Symmetric, so that an even length does not shift the image: its outermost weights are halves.
    reach = int(np.ceil((length - 1) / 2))
    weights = np.clip((length + 1) / 2 - np.abs(np.arange(-reach, reach + 1)), 0, 1)
    return np.asarray(cv2.filter2D(image, -1, weights[None] / weights.sum()), np.float32)


def _noise(image: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    return image + rng.standard_normal(image.shape, np.float32) * np.float32(sigma)


def _pixelate(image: Pixels, share: float, _rng: np.random.Generator) -> Pixels:
    height, width = image.shape[:2]
    small = cv2.resize(image, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.float32)


def _jpeg(image: Pixels, quality: float, _rng: np.random.Generator) -> Pixels:
    _, content = cv2.imencode(".jpg", image.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.float32)


CORRUPTIONS = (
    Corruption("dark", "brightness x", (0.7, 0.5, 0.35, 0.25, 0.15), _brightness),
    Corruption("bright", "brightness x", (1.25, 1.5, 1.75, 2.0, 2.5), _brightness),
    Corruption("flat", "contrast x", (0.75, 0.5, 0.4, 0.3, 0.2), _contrast),
    Corruption("warm light", "red x, blue :", (1.1, 1.2, 1.35, 1.5, 1.75), _warm),
    Corruption("grey", "share of the colour lost", (0.2, 0.4, 0.6, 0.8, 1.0), _grey),
    Corruption("blur", "sigma", (0.5, 0.75, 1.0, 1.25, 1.5), _blur),
    Corruption("motion", "length", (2, 3, 4, 5, 6), _motion),
    Corruption("noise", "sigma in steps of 255", (4, 8, 12, 18, 25), _noise),
    Corruption("pixelated", "share of the size left", (0.75, 0.5, 0.375, 0.25, 0.1875), _pixelate),
    Corruption("JPEG", "quality", (80, 60, 40, 25, 15), _jpeg),
)
