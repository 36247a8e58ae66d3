"""Whether a graph normalises its pixels itself: then its first operators say which pixels it expects.

A chain of MUL, DIV, ADD and SUB by constants is one straight line per channel; where it puts 0 and 255 tells raw bytes
from pixels in 0 to 1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from edge_runtime.model.flatbuffer import Table

_ADD, _MUL, _SUB, _DIV = 0, 18, 41, 42
_FLOAT32 = 0
# A network's pixels lie around zero, a few units wide, whichever way they were normalised.
_WIDEST, _NARROWEST = 12.0, 0.9
_ARITHMETIC: dict[int, Callable[[float, float], float]] = {
    _ADD: lambda value, constant: value + constant,
    _SUB: lambda value, constant: value - constant,
    _MUL: lambda value, constant: value * constant,
    _DIV: lambda value, constant: value / constant,
}


@dataclass(frozen=True)
class OwnRescaling:
    """``highest`` is the pixel value of white that the graph expects (255 or 1), ``low`` and ``high`` what it makes of
    black and white, of the first channel.
    """

    highest: float
    low: float
    high: float


def find_own_rescaling(model: Table, graph: Table, input_tensor: int) -> OwnRescaling | None:
    """What the first operators of ``graph`` do to the float32 input; None where they are no rescaling, or tell nothing.

    Raises:
        ModelError: the flatbuffer is damaged.
    """
    codes = [max(code.scalar(0, "b"), code.scalar(3, "i")) for code in model.tables(1)]
    tensors, buffers = graph.tables(0), model.tables(4)
    steps: list[tuple[int, float]] = []
    current = input_tensor
    for operator in graph.tables(3):
        inputs = operator.numbers(1, "i")
        if current not in inputs:
            continue
        code, outputs = codes[operator.scalar(0, "I")], operator.numbers(2, "i")
        constant = _find_constant(tensors, buffers, inputs[1]) if len(inputs) == 2 and inputs[0] == current else None
        if code not in _ARITHMETIC or constant is None or not outputs or (code == _DIV and constant == 0):
            break
        steps.append((code, constant))
        current = outputs[0]
    if not any(code in (_MUL, _DIV) for code, _ in steps):
        return None

    def rescale(pixel: float) -> float:
        for code, constant in steps:
            pixel = _ARITHMETIC[code](pixel, constant)
        return pixel

    low, high = rescale(0.0), rescale(255.0)
    if _NARROWEST <= high - low <= _WIDEST and abs(low) <= _WIDEST:
        return OwnRescaling(255.0, low, high)
    # A batch norm of pixels that come in -1..1 looks much like this, but puts 0 near 0.
    high = rescale(1.0)
    return OwnRescaling(1.0, low, high) if -_WIDEST <= low <= -0.9 and 0.5 <= high <= _WIDEST else None


def _find_constant(tensors: list[Table], buffers: list[Table], index: int) -> float | None:
    """The first number of a float32 tensor whose values stand in the file."""
    if not 0 <= index < len(tensors) or tensors[index].scalar(1, "b") != _FLOAT32:
        return None
    content = buffers[tensors[index].scalar(2, "I")].content(0)
    return float(struct.unpack_from("<f", content)[0]) if len(content) >= 4 else None
