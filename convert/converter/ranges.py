"""How far the 256 levels of inner tensors reach: over all values of the calibration images, or without the few most
extreme ones.

The converter takes the smallest and the largest value that it saw. One value in a hundred thousand may lie three times
as far out as all others, which then share a third of the levels. Whether leaving it out helps is decided elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.tflite import schema
from edge_runtime.inference.interpreter import Interpreter

# This share of a tensor's values lies below its highest level, and as many above its lowest. Measured on networks of
# keras.applications; 0.9999 was closer to float32 for some and further away for others.
KEPT = 0.99995
# A range that shrinks by less has nothing to gain.
LEAST_GAIN = 0.1
_NUM_BINS = 8192
# For a tensor that was always zero the converter records a range of about 1e-38, which cannot be divided.
_LEAST_WIDTH = 1e-30
# The converter gives everything that these read the scale of what they write. Where that is narrower, values are
# clipped, also for whatever else reads them.
_ONE_SCALE = ("MAXIMUM", "MINIMUM", "SELECT", "SELECT_V2")

Range = tuple[float, float]


def widen_shared(calibrated: bytes) -> bytes:
    """``calibrated`` with the outputs of operators in `_ONE_SCALE` widened to those of their inputs that are read
    elsewhere as well: ``where(x > 0, x, 0.2 * x)`` never writes the lowest x, but multiplies it.
    """
    tree = schema.read_tree(calibrated)
    return schema.write_tree(tree) if _widen(tree) else calibrated


def _widen(tree: Any) -> bool:
    subgraph, changed = tree.subgraphs[0], False
    readers = Counter(int(index) for operator in subgraph.operators for index in set(operator.inputs.tolist()))
    needed = {index for index, times in readers.items() if times > 1}  # tensors whose whole range is needed elsewhere
    for operator in subgraph.operators:
        if schema.read_operator_name(tree.operatorCodes[operator.opcodeIndex]) not in _ONE_SCALE:
            continue
        output = int(operator.outputs[0])
        found = [_read_range(subgraph.tensors[index]) for index in needed.intersection(operator.inputs.tolist())]
        held, own = [item for item in found if item is not None], _read_range(subgraph.tensors[output])
        if own is None or not held:
            continue
        wide = min(own[0], *(low for low, _ in held)), max(own[1], *(high for _, high in held))
        if wide != own:
            _set_range(subgraph.tensors[output], wide)
            needed.add(output)
            changed = True
    return changed


def narrow_ranges(calibrated: bytes, inputs: Sequence[NDArray[np.float32]]) -> bytes | None:
    """``calibrated``, a float32 flatbuffer whose tensors know their ranges, with the ranges of inner tensors cut to
    `KEPT` of the values that ``inputs``, (H, W, 3) float32 each, give; None when none shrinks by `LEAST_GAIN`.
    """
    tree = schema.read_tree(calibrated)
    ranges = _list_ranges(tree)
    if not ranges:
        return None
    counts = _count_values(calibrated, ranges, inputs)
    narrowed = {index: _cut(found, counts[index]) for index, found in ranges.items()}
    if not any(_width(narrowed[index]) < (1 - LEAST_GAIN) * _width(ranges[index]) for index in ranges):
        return None
    for index, cut in narrowed.items():
        _set_range(tree.subgraphs[0].tensors[index], cut)
    _widen(tree)
    return schema.write_tree(tree)


def _list_ranges(tree: Any) -> dict[int, Range]:
    """The ranges of all tensors that an operator writes, except those that are the input in another shape, whose levels
    are the pixel values.
    """
    subgraph = tree.subgraphs[0]
    pixels = _read_range(subgraph.tensors[int(subgraph.inputs[0])])
    found = {}
    for operator in subgraph.operators:
        for index in map(int, operator.outputs):
            read = _read_range(subgraph.tensors[index])
            if read is not None and read != pixels and _width(read) > _LEAST_WIDTH and np.isfinite(read).all():
                found[index] = read
    return found


def _read_range(tensor: Any) -> Range | None:
    quantization = tensor.quantization
    if quantization is None or quantization.min is None or len(quantization.min) != 1 or not schema.is_float(tensor):
        return None
    return float(quantization.min[0]), float(quantization.max[0])


def _set_range(tensor: Any, found: Range) -> None:
    quantization = tensor.quantization
    quantization.min, quantization.max = (np.array([end], np.float32) for end in found)


def _width(found: Range) -> float:
    return found[1] - found[0]


def _count_values(
    calibrated: bytes, ranges: Mapping[int, Range], inputs: Sequence[NDArray[np.float32]]
) -> dict[int, NDArray[np.int64]]:
    """For each tensor, how many of its values lie in each of `_NUM_BINS` equal parts of its range."""
    counts = {index: np.zeros(_NUM_BINS, np.int64) for index in ranges}
    interpreter = Interpreter(calibrated, extra_outputs=tuple(ranges))
    for values in inputs:
        interpreter.invoke(values)
        for number, (index, (low, high)) in enumerate(ranges.items()):
            part = (interpreter.extra(number).ravel() - np.float32(low)) * np.float32(_NUM_BINS / (high - low))
            counts[index] += np.bincount(part.clip(0, _NUM_BINS - 1).astype(np.int32), minlength=_NUM_BINS)
    return counts


def _cut(found: Range, counts: NDArray[np.int64]) -> Range:
    """``found`` without its outermost parts; it still includes 0, as every integer range does."""
    low, high = found
    part, below = _width(found) / len(counts), np.cumsum(counts)
    first = int(np.searchsorted(below, below[-1] * (1 - KEPT), side="right"))
    last = int(np.searchsorted(below, below[-1] * KEPT))
    return max(low, min(low + first * part, 0.0)), min(high, max(low + (last + 1) * part, 0.0))
