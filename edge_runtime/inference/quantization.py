"""Converts between real numbers and stored tensor values by one rule: float -> rint -> clip -> cast; widen before
subtracting.

Pure NumPy. A stored 8-bit value has only 256 possible meanings, so the hot path looks them up in tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import Normalization, TensorSpec

Stored = NDArray[Any]
Float = NDArray[np.float32]


def quantize(real: NDArray[Any], tensor: TensorSpec) -> Stored:
    """The stored values of ``real`` in the tensor's dtype, same shape; float32 tensors store the numbers unchanged."""
    if tensor.dtype == "float32":
        return np.asarray(real, np.float32)
    limits = np.iinfo(tensor.dtype)
    steps = np.rint(np.asarray(real, np.float64) / tensor.scale) + tensor.zero_point
    stored: Stored = np.clip(steps, limits.min, limits.max).astype(tensor.dtype)
    return stored


def dequantize(stored: Stored, tensor: TensorSpec) -> Float:
    """The real numbers, float32, that ``stored`` (in the tensor's dtype) represents, same shape."""
    if tensor.dtype == "float32":
        return np.asarray(stored, np.float32)
    # Widen first: in uint8 arithmetic 0 - 128 would be 128.
    return ((np.asarray(stored, np.int32) - tensor.zero_point) * np.float64(tensor.scale)).astype(np.float32)


def make_real_table(tensor: TensorSpec) -> Float | None:
    """(256,) float32: the real number of each stored byte, indexed by the byte as uint8; None for float32 tensors."""
    if tensor.dtype == "float32":
        return None
    return dequantize(np.arange(256, dtype=np.uint8).view(tensor.dtype), tensor)


def make_pixel_table(normalization: Normalization, tensor: TensorSpec) -> Stored | None:
    """The stored input value of each pixel value: (256, 1) or (256, 3) in the tensor's dtype, columns R, G, B.

    None if raw pixel bytes can be the input tensor: each is within half a step of the exact value, so no rounding comes
    closer. This is so in the files that ``convert`` writes by default, and in files from elsewhere with mean and
    standard deviation 127.5.
    """
    pixels = np.arange(256, dtype=np.float64)[:, None]
    real = (pixels - np.array(normalization.mean)) / np.array(normalization.std)
    if tensor.dtype == "uint8" and bool((np.abs(real / tensor.scale + tensor.zero_point - pixels) < 0.501).all()):
        return None
    return quantize(real, tensor)


def apply_pixel_table(image: NDArray[np.uint8], table: Stored | None) -> Stored:
    """The (h, w, 3) input tensor of an (h, w, 3) uint8 RGB image, through the table of `make_pixel_table`."""
    if table is None:
        return image
    stored: Stored = table[:, 0].take(image) if table.shape[1] == 1 else table[image, np.arange(3)]
    return stored
