"""Turns a camera frame into the model's input image. This is the only place where that is defined.

Training, calibration, verification and the device import it. Pure; ends at uint8: normalisation belongs to the model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.region import find_region_box, region_of

LETTERBOX_VALUE = 127
# From this reduction on, the frame is sampled at twice the target size and each 2x2 block is averaged: faster than
# bilinear sampling and closer to the mean of the source pixels (docs/decisions/0007). All steps give the same bytes on
# x86 and ARM, from OpenCV 4.6 to 5.0. INTER_LINEAR does not (OpenCV 5's ARM wheels use KleidiCV), nor does INTER_AREA
# at ratios that are not whole numbers.
SAMPLED_REDUCTION = 3.0
# cv2.remap holds source coordinates in int16.
_LARGEST_SAMPLED_SIDE = 32767

Image = NDArray[np.uint8]


def preprocess(frame: Image, spec: InputSpec, out: Callable[[], Image] | None = None) -> Image:
    """The (spec.height, spec.width, 3) uint8 RGB image of a (h, w, 3) uint8 BGR frame; the frame is not changed.

    A frame that already has the input's size keeps its pixels. ``out`` returns the array to fill and return, one for
    which `can_be_written` holds; it is called last, so that no error keeps a reference to an interpreter's memory.

    Raises:
        DataError: the frame is not (h, w, 3) uint8 with h and w of at least 1.
    """
    check_frame(frame)
    top, left, height, width = find_crop_box(frame.shape[0], frame.shape[1], spec)
    seen = frame[top : top + height, left : left + width]
    image = _letterbox(seen, spec) if spec.resize == "letterbox" else _shrink_or_grow(seen, spec.width, spec.height)
    return cast(Image, cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=None if out is None else out()))


def can_be_written(out: Image) -> bool:
    """Whether `preprocess` can fill this array; if it does not fit, OpenCV silently makes another one."""
    return cv2.cvtColor(np.zeros(out.shape, np.uint8), cv2.COLOR_BGR2RGB, dst=out) is out


def check_frame(frame: Image) -> None:
    """Raises DataError unless ``frame`` is (h, w, 3) uint8 and not empty."""
    shape, dtype = getattr(frame, "shape", None), getattr(frame, "dtype", None)
    if shape is None or dtype is None:
        raise DataError(
            f"The frame is a {type(frame).__name__}, expected an array of (h, w, 3) uint8 in BGR order. A PIL image "
            "becomes one by numpy.asarray(image.convert('RGB')), with channels='rgb'."
        )
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
        raise DataError(f"The frame is {shape} {dtype}, expected (h, w, 3) uint8 in BGR order.")


def rgb_to_bgr(frame: Image) -> Image:
    """A new (h, w, 3) uint8 BGR array from an RGB one; raises as `check_frame`."""
    check_frame(frame)
    return cast(Image, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))


def find_crop_box(frame_height: int, frame_width: int, spec: InputSpec) -> tuple[int, int, int, int]:
    """(top, left, height, width), in pixels, of the part of a frame that the model sees."""
    top, left, seen_height, seen_width = find_region_box(frame_height, frame_width, region_of(spec))
    if spec.resize != "crop":
        return top, left, seen_height, seen_width
    height = max(1, min(seen_height, round(seen_width * spec.height / spec.width)))
    width = max(1, min(seen_width, round(seen_height * spec.width / spec.height)))
    return top + (seen_height - height) // 2, left + (seen_width - width) // 2, height, width


def find_input_box(height: int, width: int, spec: InputSpec) -> tuple[int, int, int, int]:
    """(top, left, height, width), in pixels, of the part of the input that shows the visible part of a frame, whose
    size is ``height`` and ``width``: the whole input, or less if a letterbox pads it.
    """
    if spec.resize != "letterbox":
        return 0, 0, spec.height, spec.width
    scale = min(spec.height / height, spec.width / width)
    height = max(1, min(spec.height, round(height * scale)))
    width = max(1, min(spec.width, round(width * scale)))
    return (spec.height - height) // 2, (spec.width - width) // 2, height, width


def _letterbox(frame: Image, spec: InputSpec) -> Image:
    top, left, height, width = find_input_box(frame.shape[0], frame.shape[1], spec)
    canvas = np.full((spec.height, spec.width, 3), LETTERBOX_VALUE, np.uint8)
    canvas[top : top + height, left : left + width] = _shrink_or_grow(frame, width, height)
    return canvas


def _shrink_or_grow(region: Image, width: int, height: int) -> Image:
    if region.shape[:2] == (height, width):
        return region
    reduction = min(region.shape[0] / height, region.shape[1] / width)
    if reduction < SAMPLED_REDUCTION or max(region.shape) > _LARGEST_SAMPLED_SIDE:
        return cast(Image, cv2.resize(region, (width, height), interpolation=cv2.INTER_LINEAR_EXACT))
    centres = _centres(*region.shape[:2], 2 * height, 2 * width)
    samples = cv2.remap(region, centres, None, cv2.INTER_NEAREST)  # type: ignore[call-overload]  # its stubs forbid None
    return cast(Image, cv2.resize(samples, (width, height), interpolation=cv2.INTER_AREA))


@lru_cache(maxsize=8)
def _centres(frame_height: int, frame_width: int, height: int, width: int) -> NDArray[np.int16]:
    """(height, width, 2) columns and rows of the source pixels in the middle of each cell of a height x width grid.

    Computed in integers, because OpenCV versions round INTER_NEAREST_EXACT differently, and INTER_NEAREST takes each
    cell's corner.
    """
    centres = np.empty((height, width, 2), np.int16)
    centres[..., 0] = (2 * np.arange(width) + 1) * frame_width // (2 * width)
    centres[..., 1] = ((2 * np.arange(height) + 1) * frame_height // (2 * height))[:, None]
    return centres
