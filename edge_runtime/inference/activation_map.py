"""Where a model looked: what each cell of its last feature map adds to the score of a class (class activation map).

Exact, not guessed: where global average pooling and a dense layer end a model, the cells and the class's bias sum to
the class's logit, but for the rounding of the pooled features. Pure NumPy; costs nothing until it is asked for.
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
# OpenBLAS shares out a product of a matrix and a vector from 9216 numbers on.
ONE_THREAD = 9216


@dataclass(frozen=True, eq=False)
class ActivationMap:
    """``cells`` (h, w) float32 are what each place of the input adds to the logit of class ``index``; their sum and
    ``bias`` are that logit. The cells divide the model's whole input evenly, the first row at its top.
    """

    index: int
    cells: NDArray[np.float32]
    bias: float

    def shares(self) -> NDArray[np.float32]:
        """(h, w) float32 in [0, 1]: 1 where the most speaks for the class, 0 where nothing does or something against.

        All 0 where nothing does.
        """
        positive = np.maximum(self.cells, 0)
        highest = float(positive.max())
        return positive / np.float32(highest) if highest > 0 else positive


class ClassMapper:
    """Turns the feature map in ``tensor`` of the flatbuffer into the map of one class; made by `make_class_mapper`."""

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
        # The threads of a BLAS take longer to wake than a larger product needs; a smaller one it does alone.
        small = rows.size <= ONE_THREAD
        sums: NDArray[np.float32] = rows.dot(weights) if small else np.einsum("ij,j->i", rows, weights)
        sums -= self._offsets[index]
        sums /= height * width
        return ActivationMap(index, sums.reshape(height, width), self._biases[index])


def make_class_mapper(flatbuffer: bytes, num_classes: int) -> ClassMapper | None:
    """The mapper of a model; None where its scores are not those of a dense layer on the means of a feature map.

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
