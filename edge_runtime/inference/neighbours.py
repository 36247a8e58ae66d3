"""How close a frame's features are to those of the calibration images: the cosine to the nearest centre of a class.

The top score shows confusion between classes; this shows what is like none of them. Pure NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import Neighbours


class NeighbourTable:
    """Centres of the calibration images' features, or the features themselves, ready for comparison; ``rows`` is (rows,
    width) int8, as stored.
    """

    def __init__(self, neighbours: Neighbours, rows: NDArray[np.int8]) -> None:
        self._zero_point, self._rank = np.float32(neighbours.zero_point), neighbours.rank
        self._directions = _normalize(rows.astype(np.float32) - self._zero_point)

    def similarity(self, features: NDArray[Any]) -> float:
        """The cosine, in [-1, 1], of (width,) int8 ``features`` to the rank-th nearest row, by the contract's rank; 0
        for features that are all zero.
        """
        found = features.astype(np.float32) - self._zero_point
        length = float(np.sqrt(np.square(found).sum()))
        if length == 0.0:
            return 0.0
        # Not `dot`: waking BLAS threads takes longer than these few products.
        cosines = np.einsum("ij,j->i", self._directions, found)
        place = len(cosines) - self._rank
        cosines.partition(place)
        return float(cosines[place]) / length


def _normalize(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    directions: NDArray[np.float32] = rows / np.where(lengths == 0, 1, lengths).astype(np.float32)
    return directions
