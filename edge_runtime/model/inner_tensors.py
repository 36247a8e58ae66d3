"""Tensors inside a flatbuffer: where the features lie that the last layer decides on, and how to read them.

A second output is declared in memory, before the interpreter gets the bytes: the file itself stays as it is, and so do
its arithmetic and its speed. Field numbers are those of TensorFlow's schema.fbs (version 3).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.errors import ModelError
from edge_runtime.model.flatbuffer import Table

_AVERAGE_POOL_2D, _CONV_2D, _DEQUANTIZE, _FULLY_CONNECTED, _RESHAPE = 1, 3, 6, 9, 22
_SOFTMAX, _MEAN, _QUANTIZE = 25, 40, 114
_INT8 = 9


@dataclass(frozen=True)
class Features:
    """``tensor`` holds the ``width`` int8 features before the last dense layer, 0 at ``zero_point``, times its
    ``weights``; they are the means of the map in tensor ``feature_map``, None where they are something else.
    """

    tensor: int
    width: int
    zero_point: int
    weights: int
    feature_map: int | None


def find_features(flatbuffer: bytes) -> Features | None:
    """The features of a model that ends in a dense layer; None where it does not, or has none in int8.

    Raises:
        ModelError: the flatbuffer is damaged.
    """
    model = Table.root(flatbuffer)
    codes = [max(code.scalar(0, "b"), code.scalar(3, "i")) for code in model.tables(1)]
    graph = model.tables(2)[0]
    tensors = graph.tables(0)
    makers = {
        output: (codes[operator.scalar(0, "I")], operator.numbers(1, "i"))
        for operator in graph.tables(3)
        for output in operator.numbers(2, "i")
    }

    def back(tensor: int, *kinds: int) -> int:
        """The tensor from which operators of these kinds alone make ``tensor``."""
        while tensor in makers and makers[tensor][0] in kinds and makers[tensor][1]:
            tensor = makers[tensor][1][0]
        return tensor

    scores = back(graph.numbers(2, "i")[0], _SOFTMAX, _QUANTIZE, _DEQUANTIZE, _RESHAPE)
    kind, inputs = makers.get(scores, (-1, ()))
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
    pooled = back(inputs[0], _RESHAPE)
    pool_kind, pool_inputs = makers.get(pooled, (-1, ()))
    mapped = pool_inputs[0] if pool_kind in (_MEAN, _AVERAGE_POOL_2D) and pool_inputs else None
    if mapped is not None and (len(tensors[mapped].numbers(0, "i")) != 4 or tensors[mapped].scalar(1, "b") != _INT8):
        mapped = None
    return Features(inputs[0], width, int(zero_points[0]) if zero_points else 0, inputs[1], mapped)


def declare_outputs(flatbuffer: bytes, tensors: Sequence[int]) -> bytes:
    """The flatbuffer with ``tensors`` as further outputs after its own, its other bytes unchanged.

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
    # Offsets of a flatbuffer lead forwards, so the new vector stands at the end.
    struct.pack_into("<I", content, place, len(content) - place)
    content += struct.pack(f"<I{len(outputs) + len(tensors)}i", len(outputs) + len(tensors), *outputs, *tensors)
    return bytes(content)
