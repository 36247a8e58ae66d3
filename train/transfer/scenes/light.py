"""What light, lens, sensor and encoder do to an image. Pure: the caller passes the random generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from edge_runtime.pixels.preprocess import Image

# The side for which blur is stated; it grows with the image.
REFERENCE_SIDE = 160


@dataclass(frozen=True)
class Light:
    """How often each effect occurs, and how strong it is at most."""

    colour: float = 0.5  # share; each channel times exp(-0.25 to 0.25)
    darkness: float = 0.2  # share; the whole times 0.2 to 1.3
    blur: float = 0.35  # share; sigma 0.4 to 2 pixels of 160
    noise: float = 0.3  # share; sigma 2 to 18 of 255
    jpeg: float = 0.15  # share; quality 30 to 80


def relight(image: Image, light: Light, rng: np.random.Generator) -> Image:
    """The (h, w, 3) uint8 RGB image as another camera would see it in other light."""
    happens = rng.random(5)
    strength = rng.random(5)
    gains = np.ones(3)
    if happens[0] < light.colour:
        gains *= np.exp(rng.uniform(-0.25, 0.25, 3))
    if happens[1] < light.darkness:
        gains *= 0.2 * (1.3 / 0.2) ** strength[1]
    if happens[2] < light.blur:
        sigma = (0.4 + 1.6 * strength[2]) * image.shape[0] / REFERENCE_SIDE
        image = cast(Image, cv2.GaussianBlur(image, (0, 0), sigma))
    if (gains != 1).any():
        image = cast(Image, cv2.transform(image, np.diag(gains)))
    if happens[3] < light.noise:
        sigma = 2 + 16 * strength[3]
        grain = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(grain, np.zeros(3), np.full(3, sigma))
        image = cast(Image, cv2.add(image, grain, dtype=cv2.CV_8U))
    if happens[4] < light.jpeg:
        content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, round(30 + 50 * strength[4])])[1]
        image = cast(Image, cv2.imdecode(content, cv2.IMREAD_COLOR))
    return image
