"""Reduces a YUYV frame before its colours are converted, so that only the remaining pixels need conversion."""

from __future__ import annotations

import numpy as np

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image
from edge_runtime.pixels.shrink import choose_reduction


def yuyv_to_bgr(raw: Image, spec: InputSpec | None) -> Image:
    """The (h, w, 3) uint8 BGR image of a (H, W, 2) uint8 YUYV frame, reduced as `shrink.choose_reduction` says.

    Each block of pixels becomes its mean, in luminance and colour. With ``spec`` None the frame keeps its size.

    Raises:
        DataError: ``raw`` is not (H, W, 2) uint8 with an even W.
    """
    if raw.ndim != 3 or raw.shape[2] != 2 or raw.shape[1] % 2 or 0 in raw.shape or raw.dtype != np.uint8:
        raise DataError(f"The raw frame is {raw.shape} {raw.dtype}, expected (h, w, 2) uint8 YUYV with an even width.")
    height, width = raw.shape[:2]
    divisor = choose_reduction(height, width, spec) if spec is not None else 1
    while divisor > 1 and (height % divisor or width % (2 * divisor)):
        divisor //= 2
    if divisor > 1:
        raw = _block_means(raw, height // divisor, width // divisor)
    return np.asarray(cv2.cvtColor(raw, cv2.COLOR_YUV2BGR_YUYV), np.uint8)


def _block_means(raw: Image, height: int, width: int) -> Image:
    """(height, width, 2) YUYV, each value the mean of its block."""
    pairs = raw.reshape(raw.shape[0], raw.shape[1] // 2, 4)  # Y0 U Y1 V
    means = np.asarray(cv2.resize(pairs, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    reduced = np.empty((height, width, 2), np.uint8)
    reduced[..., 0] = (means[..., 0].astype(np.uint16) + means[..., 2] + 1) >> 1
    colours = (means[:, 0::2, 1::2].astype(np.uint16) + means[:, 1::2, 1::2] + 1) >> 1
    reduced[:, 0::2, 1] = colours[..., 0]
    reduced[:, 1::2, 1] = colours[..., 1]
    return reduced
