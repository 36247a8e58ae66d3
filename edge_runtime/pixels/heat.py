"""Draws over an image where the model looked: grey where nothing supported the class, orange where much did."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import InputSpec
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image, find_crop_box, find_input_box

# Orange in BGR, which everyone can tell from grey; the live page uses the same.
COLOUR = (0, 110, 255)
STRONGEST = 0.8
# The image underneath is darkened to this fraction, so that the colour stands out on white, too.
GREY_LIGHT = 0.8


def draw_heat(frame: Image, shares: NDArray[np.float32], spec: InputSpec) -> Image:
    """A new (h, w, 3) uint8 BGR image: ``frame``, in the same format, overlaid with the (rows, columns) ``shares`` in
    [0, 1] of the input that ``spec`` makes of it. Whatever a crop or a region leaves out stays grey.
    """
    grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR).astype(np.float32) * GREY_LIGHT
    share = np.zeros((*frame.shape[:2], 1), np.float32)
    top, left, height, width = find_crop_box(frame.shape[0], frame.shape[1], spec)
    share[top : top + height, left : left + width, 0] = _cover(shares, spec, (width, height))
    drawn = grey + (np.array(COLOUR, np.float32) - grey) * share * STRONGEST
    return cast(Image, np.rint(drawn).clip(0, 255).astype(np.uint8))


def find_heat_box(frame_height: int, frame_width: int, spec: InputSpec) -> tuple[float, float, float, float]:
    """Where the whole input lies on the frame: (left, top, width, height) in fractions of it.

    A letterbox extends beyond the visible part of the frame, so the heat on its bars must be cut off.
    """
    top, left, height, width = find_crop_box(frame_height, frame_width, spec)
    inner_top, inner_left, inner_height, inner_width = find_input_box(height, width, spec)
    scale_x, scale_y = width / inner_width / frame_width, height / inner_height / frame_height
    return (
        left / frame_width - inner_left * scale_x,
        top / frame_height - inner_top * scale_y,
        spec.width * scale_x,
        spec.height * scale_y,
    )


def encode_cells(shares: NDArray[np.float32]) -> bytes:
    """``shares`` in [0, 1] as a PNG with one pixel per cell: `COLOUR`, more opaque for a larger share."""
    cells = np.empty((*shares.shape, 4), np.uint8)
    cells[..., :3], cells[..., 3] = COLOUR, np.rint(shares * 255 * STRONGEST)
    return cv2.imencode(".png", cells)[1].tobytes()


def encode_png(image: Image) -> bytes:
    """The (h, w, 3) uint8 BGR ``image`` as PNG."""
    return cv2.imencode(".png", image)[1].tobytes()


def _cover(shares: NDArray[np.float32], spec: InputSpec, size_wh: tuple[int, int]) -> NDArray[np.float32]:
    """``shares`` for each pixel that the model saw; the bars of a letterbox are cut off."""
    whole = cv2.resize(shares, (spec.width, spec.height), interpolation=cv2.INTER_LINEAR)
    top, left, height, width = find_input_box(size_wh[1], size_wh[0], spec)
    inner = whole[top : top + height, left : left + width]
    return cast("NDArray[np.float32]", cv2.resize(inner, size_wh, interpolation=cv2.INTER_LINEAR))
