"""When a taught model says "unknown": decided by how its own photos score when left out. Pure NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# An answer that is more likely wrong than right does not count.
LOWEST, HIGHEST = 0.5, 0.9
STEP = 0.05
# The share of the answers above the threshold that should be right, as long as at least half of the photos pass.
PRECISION, LEAST_COVERAGE = 0.9, 0.5
# The third nearest photo, because a single one may be odd.
RANK = 3
# The share of the taught photos that may count as unlike the others.
REFUSED = 0.05


def choose_threshold(left_out: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The lowest probability in [0.5, 0.9] above which left-out photos were right often enough, from (photos, classes)
    probabilities and (photos,) class indices. One wrong answer is added to those that there were.
    """
    best, right = left_out.max(axis=1), left_out.argmax(axis=1) == labels
    chosen = LOWEST
    for threshold in np.arange(LOWEST, HIGHEST + STEP / 2, STEP).round(2).tolist():
        passes = best >= threshold
        if passes.mean() < LEAST_COVERAGE:
            break
        chosen = threshold
        if (right & passes).sum() / (passes.sum() + 1) >= PRECISION:
            break
    return float(chosen)


def choose_cut(rows: NDArray[np.int8], zero_point: int) -> float:
    """The cosine to the `RANK`-th nearest other photo that all but a share `REFUSED` of the photos reach; ``rows`` are
    their (photos, width) features.
    """
    real = rows.astype(np.float32) - np.float32(zero_point)
    lengths = np.sqrt(np.square(real).sum(axis=1, keepdims=True))
    directions = real / np.maximum(lengths, 1e-6)
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -1.0)
    nearest = np.sort(cosines, axis=1)[:, -RANK]
    return float(np.quantile(nearest, REFUSED))


def count_right(left_out: NDArray[np.float32], labels: NDArray[np.int64], num_classes: int) -> Sequence[int]:
    """How many photos of each class were recognised when left out."""
    right = left_out.argmax(axis=1) == labels
    return [int(right[labels == index].sum()) for index in range(num_classes)]
