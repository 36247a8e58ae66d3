"""What normal frames give, so that a device can tell when its own frames no longer do: drift."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from edge_runtime.errors import ModelError

# The quantiles that are kept of each signal.
PROBABILITIES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class DriftReference:
    """Quantiles at `PROBABILITIES` of what ``num_images`` held-out images and images of the empty scene gave:
    ``scores`` of the best class in [0, 1], ``similarities`` to the neighbours in [-1, 1] (empty without them), and
    ``light`` in [0, 255] and ``sharpness`` of the input itself (`edge_runtime.pixels.light`).
    """

    num_images: int
    scores: tuple[float, ...]
    similarities: tuple[float, ...]
    light: tuple[float, ...]
    sharpness: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.num_images < 1:
            raise ModelError(f"The drift reference is that of {self.num_images} images, expected at least 1.")
        for name in ("scores", "similarities", "light", "sharpness"):
            values = getattr(self, name)
            if name == "similarities" and not values:
                continue
            rising = all(low <= high for low, high in itertools.pairwise(values))
            if len(values) != len(PROBABILITIES) or not rising or not all(map(math.isfinite, values)):
                raise ModelError(
                    f"The drift reference's {name} are {list(values)}, expected {len(PROBABILITIES)} rising numbers."
                )
