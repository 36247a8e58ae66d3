"""Where a model looked: what each cell of its last feature map adds to the score of a class (class activation map).

Exact, not estimated: if a model ends in global average pooling and a dense layer, the cells and the class's bias sum to
the class's logit, except for the rounding of the pooled features. Pure NumPy; costs nothing until it is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.model.inner_tensors import find_features, read_constant, read_scale

NO_MAP = (
    "The model cannot show where it looked: expected an integer model that ends in global average pooling and one "
    "dense layer, as those that this project trains do. Convert such a model, or go without the map."
)
# OpenBLAS uses several threads for the product of a matrix and a vector of more numbers than this.
ONE_THREAD = 9216


@dataclass(frozen=True, eq=False)
class ActivationMap:
    """``cells`` (h, w) float32 are what each part of the input adds to the logit of class ``index``; with ``bias`` they
    sum to that logit. The cells divide the model's whole input evenly, with the first row at the top.
    """

    index: int
    cells: NDArray[np.float32]
    bias: float

    def shares(self) -> NDArray[np.float32]:
        """(h, w) float32 in [0, 1]: 1 where the support for the class is strongest, 0 where there is none or something
        speaks against it. All 0 if nothing supports it.
        """
        positive = np.maximum(self.cells, 0)
        highest = float(positive.max())
        return positive / np.float32(highest) if highest > 0 else positive


class ClassMapper:
    """Turns the feature map in the flatbuffer's ``tensor`` into the map of one class; made by `make_class_mapper`."""

    def __init__(
        self,
        tensor: int,
        scale_and_zero_point: tuple[float, int],
        weights: NDArray[np.float32],
        biases: NDArray[np.float32],
    ) -> None:
        """``weights`` are (classes, channels), ``biases`` (classes,)."""
        self.tensor = tensor
        scale, zero_point = scale_and_zero_point
        self._weights, self._biases = weights * np.float32(scale), biases.tolist()
        self._offsets = self._weights.sum(axis=1) * np.float32(zero_point)

    def map_class(self, features: NDArray[np.float32], index: int) -> ActivationMap:
        """The map of class ``index`` for the (1, h, w, channels) float32 ``features``, as stored, of one frame."""
        height, width, channels = features.shape[1:]
        rows, weights = features.reshape(-1, channels), self._weights[index]
        # BLAS does a small product in one thread; for a larger one, waking its threads takes longer than the product.
        small = rows.size <= ONE_THREAD
        sums: NDArray[np.float32] = rows.dot(weights) if small else np.einsum("ij,j->i", rows, weights)
        sums -= self._offsets[index]
        sums /= height * width
        return ActivationMap(index, sums.reshape(height, width), self._biases[index])


def make_class_mapper(flatbuffer: bytes, num_classes: int) -> ClassMapper | None:
    """The mapper of a model; None if its scores do not come from a dense layer on the means of a feature map.

    Raises:
        ModelError: the flatbuffer is damaged.
    """
    found = find_features(flatbuffer)
    if found is None or found.feature_map is None:
        return None
    weights = read_constant(flatbuffer, found.weights)
    biases = np.zeros(num_classes, np.float32) if found.bias < 0 else read_constant(flatbuffer, found.bias)
    if weights is None or biases is None or weights.size != num_classes * found.width or biases.size != num_classes:
        return None
    try:
        scale = read_scale(flatbuffer, found.feature_map)
    except ModelError:
        return None
    return ClassMapper(found.feature_map, scale, weights.reshape(num_classes, -1), biases)
