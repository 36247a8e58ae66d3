"""How bright and how sharp a model's input is: what a dark room, a dirty lens or lost focus change first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.pixels.preprocess import Image

# An edge has risen fully between pixels this far apart, however soft the edges of a sharp camera are.
FAR = 4
# If nothing differs by more than this, there is no edge to judge by.
FLAT = 0.5


@dataclass(frozen=True)
class Light:
    """``mean`` is that of the green channel, in [0, 255]; ``sharpness`` is the difference (root mean square) between
    neighbouring pixels relative to that between pixels `FAR` apart: near 0.25 in a blurred image, 0.5 for sharp edges,
    1 for noise.
    """

    mean: float
    sharpness: float


def measure_light(image: Image) -> Light:
    """The Light of an (h, w, 3) uint8 image in RGB or BGR; an image without edges, or too small to have any, counts as
    sharp (1.0).
    """
    green = image[..., 1].astype(np.float32)
    mean = float(green.mean())
    if min(green.shape) <= FAR:
        return Light(mean, 1.0)
    near, far = _differ(green, 1), _differ(green, FAR)
    return Light(mean, near / far if far > FLAT else 1.0)


def _differ(green: NDArray[np.float32], step: int) -> float:
    down, across = green[step:] - green[:-step], green[:, step:] - green[:, :-step]
    return math.sqrt(float(np.square(down).mean() + np.square(across).mean()))
