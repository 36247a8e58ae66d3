"""What a batch is and what it should answer; shared by both ways of training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ORDER_STREAM, AUGMENT_STREAM = 10, 11


def smooth_targets(labels: NDArray[np.int64], num_classes: int, smoothing: float) -> Targets:
    """(n,) int64 labels -> (n, num_classes) float32 rows that sum to 1: 1 - smoothing on the label, the rest spread
    evenly.
    """
    targets = np.full((len(labels), num_classes), smoothing / num_classes, np.float32)
    targets[np.arange(len(labels)), labels] += 1 - smoothing
    return targets


Images = NDArray[np.uint8]  # (n, h, w, 3) RGB
Targets = NDArray[np.float32]
