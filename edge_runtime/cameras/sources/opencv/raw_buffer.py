"""Decodes the raw buffers of a V4L2 camera: JPEG at the size that the model needs; YUYV is reduced before its colours
are converted.
"""

from __future__ import annotations

from edge_runtime.cameras.sources.opencv.capture import to_three_channels
from edge_runtime.contract import InputSpec, Region
from edge_runtime.errors import DataError
from edge_runtime.pixels.jpeg import cut_out
from edge_runtime.pixels.jpeg_damage import Shifts
from edge_runtime.pixels.motion import Cells, read_cells, read_jpeg_cells, read_yuyv_cells
from edge_runtime.pixels.preprocess import Image
from edge_runtime.pixels.shrink import decode_camera_image
from edge_runtime.pixels.yuyv import yuyv_to_bgr


def raw_to_bgr(raw: Image, fourcc: str, shrink_for: InputSpec | None, shifts: Shifts | None = None) -> Image | None:
    """The (h, w, 3) uint8 BGR image in one raw V4L2 buffer, or None if it is damaged or truncated."""
    try:
        if fourcc in ("MJPG", "JPEG"):
            return decode_camera_image(cut_out(raw.tobytes()), "a camera frame", shrink_for, shifts)
        if fourcc == "YUYV" and raw.ndim == 3 and raw.shape[2] == 2:
            return yuyv_to_bgr(raw, shrink_for)
        return to_three_channels(raw)
    except DataError:
        return None


def read_raw_cells(raw: Image, fourcc: str, region: Region | None) -> Cells:
    """The cells of one raw V4L2 buffer in which movement is looked for; DataError if it is damaged or truncated."""
    if fourcc in ("MJPG", "JPEG"):
        return read_jpeg_cells(cut_out(raw.tobytes()), "a camera frame", region)
    if fourcc == "YUYV" and raw.ndim == 3 and raw.shape[2] == 2:
        return read_yuyv_cells(raw, region)
    return read_cells(to_three_channels(raw), region)
