"""Finds tensors inside a flatbuffer: the features that the last layer classifies, its weights, and how to read them.

A second output is declared in memory, before the interpreter gets the bytes: the file itself does not change, nor do
its arithmetic and speed. Field numbers are those of TensorFlow's schema.fbs (version 3).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.model.flatbuffer import Table

_AVERAGE_POOL_2D, _CONV_2D, _DEQUANTIZE, _FULLY_CONNECTED, _RESHAPE = 1, 3, 6, 9, 22
_SOFTMAX, _MEAN, _QUANTIZE = 25, 40, 114
_INT8 = 9
_CONSTANTS = {2: "<i4", 9: "<i1"}
# Fields of Pool2DOptions: the window's width and height.
_FILTER_WIDTH, _FILTER_HEIGHT = 3, 4


@dataclass(frozen=True)
class Features:
    """``tensor`` holds the ``width`` int8 features before the last dense layer, 0 at ``zero_point``; its constants are
    the tensors ``weights`` and ``bias`` (-1: none). The features are the means of the (1, h, w, width) int8 tensor
    ``feature_map``; it is None if they are something else.
    """

    tensor: int
    width: int
    zero_point: int
    weights: int
    bias: int
    feature_map: int | None


def find_features(flatbuffer: bytes) -> Features | None:
    """The features of a model that ends in a dense layer; None if it does not, or if they are not int8.

    Raises:
        ModelError: the flatbuffer is damaged.
    """
    model = Table.root(flatbuffer)
    codes = [max(code.scalar(0, "b"), code.scalar(3, "i")) for code in model.tables(1)]
    graph = model.tables(2)[0]
    tensors = graph.tables(0)
    makers = {
        output: (codes[operator.scalar(0, "I")], operator.numbers(1, "i"), operator)
        for operator in graph.tables(3)
        for output in operator.numbers(2, "i")
    }

    def back(tensor: int, *kinds: int) -> int:
        """The tensor that operators of only these kinds turn into ``tensor``."""
        while tensor in makers and makers[tensor][0] in kinds and makers[tensor][1]:
            tensor = makers[tensor][1][0]
        return tensor

    scores = back(graph.numbers(2, "i")[0], _SOFTMAX, _QUANTIZE, _DEQUANTIZE, _RESHAPE)
    kind, inputs, _ = makers.get(scores, (-1, (), None))
    if kind not in (_FULLY_CONNECTED, _CONV_2D) or len(inputs) < 2:
        return None
    found = tensors[inputs[0]]
    shape, quantization = found.numbers(0, "i"), found.table(4)
    width = shape[-1] if shape else 0
    count = 1
    for size in shape:
        count *= size
    if count != width or width < 1 or found.scalar(1, "b") != _INT8 or quantization is None:
        return None
    zero_points = quantization.numbers(3, "q")
    bias = inputs[2] if len(inputs) > 2 else -1
    mapped = None
    pool_kind, pool_inputs, pool = makers.get(back(inputs[0], _RESHAPE), (-1, (), None))
    if pool is not None and pool_kind in (_MEAN, _AVERAGE_POOL_2D) and pool_inputs:
        mapped = pool_inputs[0] if _is_whole_mean(pool_kind, pool, tensors[pool_inputs[0]], width) else None
    return Features(inputs[0], width, int(zero_points[0]) if zero_points else 0, inputs[1], bias, mapped)


def _is_whole_mean(kind: int, pool: Table, mapped: Table, width: int) -> bool:
    """Whether the ``width`` outputs of ``pool`` are means over all of the int8 tensor ``mapped``."""
    shape = mapped.numbers(0, "i")
    if len(shape) != 4 or shape[0] != 1 or shape[3] != width or mapped.scalar(1, "b") != _INT8:
        return False
    options = pool.table(4)
    if kind == _MEAN:
        return True
    window = options and (options.scalar(_FILTER_HEIGHT, "i"), options.scalar(_FILTER_WIDTH, "i"))
    return window == shape[1:3]


def read_constant(flatbuffer: bytes, tensor: int) -> NDArray[np.float32] | None:
    """The real values of a constant int8 or int32 tensor, float32 in its shape, quantized per row of its first axis or
    as a whole; None if it is not constant or is quantized in another way.

    Raises:
        ModelError: the flatbuffer is damaged.
    """
    model = Table.root(flatbuffer)
    found = model.tables(2)[0].tables(0)[tensor]
    shape, quantization = found.numbers(0, "i"), found.table(4)
    stored = model.tables(4)[found.scalar(2, "I")].content(0)
    dtype = _CONSTANTS.get(found.scalar(1, "b"))
    if dtype is None or quantization is None or not stored:
        return None
    values = np.frombuffer(stored, dtype)
    scales = np.array(quantization.numbers(2, "f"), np.float64)
    zero_points = np.array(quantization.numbers(3, "q") or [0], np.float64)
    if values.size != np.prod(shape) or scales.size not in (1, shape[0]) or zero_points.size not in (1, scales.size):
        return None
    rows = values.reshape(shape[0], -1)
    real: NDArray[np.float32] = ((rows - zero_points[:, None]) * scales[:, None]).astype(np.float32)
    return real.reshape(shape)


def read_scale(flatbuffer: bytes, tensor: int) -> tuple[float, int]:
    """The (scale, zero point) of a tensor quantized as a whole; ModelError if it is not."""
    quantization = Table.root(flatbuffer).tables(2)[0].tables(0)[tensor].table(4)
    scales = quantization.numbers(2, "f") if quantization else ()
    zero_points = quantization.numbers(3, "q") if quantization else ()
    if len(scales) != 1 or len(zero_points) > 1:
        raise ModelError(f"Tensor {tensor} has {len(scales)} scales, expected 1. Convert the model again.")
    return float(scales[0]), int(zero_points[0]) if zero_points else 0


def declare_outputs(flatbuffer: bytes, tensors: Sequence[int]) -> bytes:
    """The flatbuffer with ``tensors`` as additional outputs after its own; all other bytes are unchanged.

    Raises:
        ModelError: it is damaged, or has no such tensors.
    """
    graph = Table.root(flatbuffer).tables(2)[0]
    outputs, count, place = graph.numbers(2, "i"), len(graph.tables(0)), graph.place(2)
    wrong = [tensor for tensor in tensors if not 0 <= tensor < count]
    if wrong or not place:
        raise ModelError(
            f"The model has {count} tensors, expected {wrong or 'an output'} among them. Convert it again."
        )
    content = bytearray(flatbuffer) + bytes(-len(flatbuffer) % 4)
    # Offsets in a flatbuffer only point forwards, so the new vector goes at the end.
    struct.pack_into("<I", content, place, len(content) - place)
    content += struct.pack(f"<I{len(outputs) + len(tensors)}i", len(outputs) + len(tensors), *outputs, *tensors)
    return bytes(content)
