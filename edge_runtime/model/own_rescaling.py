"""Works out from the first operators of a graph which pixel values it expects.

A chain of MUL, DIV, ADD and SUB by constants is a linear function per channel; where it maps 0 and 255 tells raw bytes
from pixels of 0 to 1. A QUANTIZE tells the range of the images that the graph was calibrated with.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge_runtime.model.flatbuffer import Table

_ADD, _MUL, _SUB, _DIV, _QUANTIZE = 0, 18, 41, 42, 114
# Operators that move pixels but do not change their values: RESHAPE, RESIZE_BILINEAR, PAD, TRANSPOSE, SQUEEZE, CAST,
# EXPAND_DIMS, RESIZE_NEAREST_NEIGHBOR, REVERSE_V2.
_MOVING = frozenset((22, 23, 34, 39, 43, 53, 70, 97, 105))
_FLOAT32 = 0
_LIMITS = {3: (0, 255), 9: (-128, 127)}
# Normalised pixels lie around zero in a range of a few units, however they were normalised.
_WIDEST, _NARROWEST = 12.0, 0.9
# Where nothing is divided, as in VGG networks, the channel's mean in bytes is subtracted.
_DARKEST_MEAN, _BRIGHTEST_MEAN = 90.0, 140.0
_ARITHMETIC: dict[int, Callable[[float, float], float]] = {
    _ADD: lambda value, constant: value + constant,
    _SUB: lambda value, constant: value - constant,
    _MUL: lambda value, constant: value * constant,
    _DIV: lambda value, constant: value / constant,
}


@dataclass(frozen=True)
class OwnRescaling:
    """``highest`` is the value that the graph expects for white (255 or 1); ``low`` and ``high`` are what it maps black
    and white to, in the first channel.
    """

    highest: float
    low: float
    high: float


def find_own_rescaling(model: Table, graph: Table, input_tensor: int) -> OwnRescaling | None:
    """What the first operators of ``graph`` do to the float32 input; None if they do not rescale it, or tell nothing.

    Raises:
        ModelError: the flatbuffer is damaged.
    """
    tensors, buffers = graph.tables(0), model.tables(4)
    steps: list[tuple[int, float]] = []
    for code, inputs, _ in _follow(model, graph, input_tensor):
        constant = _find_constant(tensors, buffers, inputs[1]) if len(inputs) == 2 else None
        if code not in _ARITHMETIC or constant is None or (code == _DIV and constant == 0):
            break
        steps.append((code, constant))

    def rescale(pixel: float) -> float:
        for code, constant in steps:
            pixel = _ARITHMETIC[code](pixel, constant)
        return pixel

    low, high = rescale(0.0), rescale(255.0)
    if not any(code in (_MUL, _DIV) for code, _ in steps):
        return OwnRescaling(255.0, low, high) if _DARKEST_MEAN <= -low <= _BRIGHTEST_MEAN else None
    if _NARROWEST <= high - low <= _WIDEST and abs(low) <= _WIDEST:
        return OwnRescaling(255.0, low, high)
    # A batch norm after pixels of -1..1 looks much like this, but maps 0 close to 0.
    high = rescale(1.0)
    return OwnRescaling(1.0, low, high) if -_WIDEST <= low <= -0.9 and 0.5 <= high <= _WIDEST else None


def find_quantized_range(model: Table, graph: Table, input_tensor: int) -> tuple[float, float] | None:
    """(lowest, highest) number that the QUANTIZE after the float32 input can hold; None if there is none."""
    tensors = graph.tables(0)
    for code, _, output in _follow(model, graph, input_tensor):
        if code != _QUANTIZE or not 0 <= output < len(tensors):
            return None
        quantization = tensors[output].table(4)
        scales = quantization.numbers(2, "f") if quantization else ()
        zero_points = quantization.numbers(3, "q") if quantization else ()
        limits = _LIMITS.get(tensors[output].scalar(1, "b"))
        if limits is None or len(scales) != 1 or len(zero_points) != 1:
            return None
        low, high = ((limit - zero_points[0]) * scales[0] for limit in limits)
        return low, high
    return None


def _follow(model: Table, graph: Table, tensor: int) -> Iterator[tuple[int, tuple[int, ...], int]]:
    """(code, inputs, output) of the operators that ``tensor`` passes through as the first input, except those that only
    move pixels.
    """
    codes = [max(code.scalar(0, "b"), code.scalar(3, "i")) for code in model.tables(1)]
    for operator in graph.tables(3):
        inputs, outputs, index = operator.numbers(1, "i"), operator.numbers(2, "i"), operator.scalar(0, "I")
        if tensor not in inputs:
            continue
        if inputs[0] != tensor or not outputs or index >= len(codes):
            return
        tensor = outputs[0]
        if codes[index] not in _MOVING:
            yield codes[index], inputs, tensor


def _find_constant(tensors: list[Table], buffers: list[Table], index: int) -> float | None:
    """The first number of a float32 tensor whose values are in the file, else None."""
    if not 0 <= index < len(tensors) or tensors[index].scalar(1, "b") != _FLOAT32:
        return None
    content = buffers[tensors[index].scalar(2, "I")].content(0)
    return float(struct.unpack_from("<f", content)[0]) if len(content) >= 4 else None
