"""Replaces the last layer of a flatbuffer that ends in a dense layer and a softmax, with other weights and any number
of classes. The rest of the file is unchanged byte for byte.

Weights are int8 with one scale for all classes, because old runtimes support nothing else in dense layers; the
arithmetic follows the TFLite quantization specification: the bias is int32, scaled by the product of both scales. Field
numbers are those of TensorFlow's schema.fbs (version 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.installed.teach.appended_tables import Appender, Field
from edge_runtime.model.flatbuffer import Table
from edge_runtime.model.inner_tensors import Features, find_features, read_scale

_FULLY_CONNECTED, _SOFTMAX, _QUANTIZE = 9, 25, 114
_INT8_MAX = 127
# Logits of new frames may leave the range seen in teaching: a quarter more on either side.
ROOM = 0.25
# For logits and weights that hardly differ: kernels refuse extreme scales.
SMALLEST_RANGE = 1.0


@dataclass(frozen=True)
class Head:
    """``kernel`` (features, classes) and ``bias`` (classes,) float32 turn real features into logits, which lay between
    ``low`` and ``high`` in teaching.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    low: float
    high: float


def replace_head(flatbuffer: bytes, head: Head) -> bytes:
    """The flatbuffer with ``head`` as its last layer.

    Raises:
        ModelError: it does not end in a dense layer over int8 features and a softmax, or has a different number of
            features.
    """
    features, outputs = find_head(flatbuffer)
    width, num_classes = head.kernel.shape
    if width != features.width:
        raise ModelError(f"The head is for {width} features, the backbone has {features.width}: expected the same.")
    scale, _ = read_scale(flatbuffer, features.tensor)
    weights, weight_scale = _to_int8(head.kernel.T)
    bias = np.clip(np.rint(head.bias / (scale * weight_scale)), -(2**31), 2**31 - 1).astype(np.int32)
    low, high = _widen(head.low, head.high)
    logit_scale = (high - low) / 255
    logit_zero = round(-128 - low / logit_scale)
    model = Table.root(flatbuffer)
    graph = model.tables(2)[0]
    logits, *rest = outputs
    appended = Appender(flatbuffer)
    buffers = _places(model, 4)
    for tensor, content in ((features.weights, weights), (features.bias, bias)):
        number = graph.tables(0)[tensor].scalar(2, "I")
        appended.point(buffers[number], {0: np.frombuffer(content.tobytes(), np.uint8)})
    changed = [
        (features.weights, (num_classes, width), (weight_scale, 0)),
        (features.bias, (num_classes,), (scale * weight_scale, 0)),
        (logits, (1, num_classes), (logit_scale, logit_zero)),
        *((tensor, (1, num_classes), read_scale(flatbuffer, tensor)) for tensor in rest),
    ]
    places = _places(graph, 0)
    for tensor, shape, quantization in changed:
        appended.point(places[tensor], _describe(graph.tables(0)[tensor], shape, quantization))
    return bytes(appended.content)


def find_head(flatbuffer: bytes) -> tuple[Features, tuple[int, ...]]:
    """The features, and the tensors after them in order: logits, probabilities, and possibly these requantized.

    Raises:
        ModelError: the flatbuffer does not end like that.
    """
    features = find_features(flatbuffer)
    model = Table.root(flatbuffer)
    graph = model.tables(2)[0]
    if features is not None and features.bias >= 0:
        kinds, outputs = _follow(model, graph, features.tensor)
        ends_so = kinds in ([_FULLY_CONNECTED, _SOFTMAX], [_FULLY_CONNECTED, _SOFTMAX, _QUANTIZE])
        if ends_so and graph.numbers(2, "i") == outputs[-1:] and _is_own(graph, features, len(model.tables(4))):
            return features, outputs
    raise ModelError(
        "The model does not end in one dense layer over int8 features and a softmax, which teaching replaces. Expected "
        "the backbone that `make teach-backbone` writes."
    )


def _follow(model: Table, graph: Table, tensor: int) -> tuple[list[int], tuple[int, ...]]:
    """The kinds of the operators that follow ``tensor`` one after another, and the output of each."""
    codes = [max(code.scalar(0, "b"), code.scalar(3, "i")) for code in model.tables(1)]
    kinds, outputs = [], []
    for operator in graph.tables(3):
        given = operator.numbers(2, "i")
        if operator.numbers(1, "i")[:1] == (tensor,) and len(given) == 1:
            tensor = given[0]
            kinds.append(codes[operator.scalar(0, "I")])
            outputs.append(tensor)
    return kinds, tuple(outputs)


def _is_own(graph: Table, features: Features, num_buffers: int) -> bool:
    """Whether no other tensor shares the buffers of weights and bias."""
    numbers = [tensor.scalar(2, "I") for tensor in graph.tables(0)]
    own = (numbers[features.weights], numbers[features.bias])
    return all(numbers.count(number) == 1 and 0 < number < num_buffers for number in own)


def _describe(tensor: Table, shape: tuple[int, ...], quantization: tuple[float, int]) -> dict[int, Field]:
    """The fields of a tensor like ``tensor`` with another shape and scale."""
    scale, zero_point = quantization
    scaled: dict[int, Field] = {2: np.array([scale], np.float32), 3: np.array([zero_point], np.int64)}
    fields: dict[int, Field] = {
        0: np.array(shape, np.int32),
        1: ("b", tensor.scalar(1, "b")),
        2: ("I", tensor.scalar(2, "I")),
        3: np.frombuffer(tensor.content(3), np.uint8),
        4: scaled,
    }
    if tensor.place(8):  # has_rank
        fields[8] = ("b", tensor.scalar(8, "b"))
    return fields


def _places(table: Table, field: int) -> list[int]:
    """The positions of the offsets to the tables in the vector ``field``."""
    start = table.start(field)
    return list(range(start, start + 4 * table.length(field, 4), 4))


def _to_int8(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], float]:
    scale = float(np.abs(weights).max()) / _INT8_MAX or SMALLEST_RANGE / _INT8_MAX
    # Rounded to float32, as in the file.
    scale = float(np.float32(scale))
    return np.clip(np.rint(weights / scale), -_INT8_MAX, _INT8_MAX).astype(np.int8), scale


def _widen(low: float, high: float) -> tuple[float, float]:
    """The range with some room, extended to include 0, so that its zero point can be stored."""
    room = ROOM * max(high - low, SMALLEST_RANGE)
    return min(low - room, 0.0), max(high + room, 0.0)
