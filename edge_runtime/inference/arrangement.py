"""Turns the image from `preprocess` into the input tensor of a model with another order of axes or colours.

Pure NumPy and OpenCV; not used for models with this project's own layout.
"""

from __future__ import annotations

import numpy as np

from edge_runtime.contract.layout import InputLayout
from edge_runtime.inference.quantization import Stored, apply_pixel_table
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image


def arrange_input(image: Image, table: Stored | None, layout: InputLayout) -> Stored:
    """The input tensor, without its batch axis, of an (h, w, 3) uint8 RGB ``image``, through the table of
    `make_pixel_table`, whose columns are R, G, B whatever the order in the tensor.
    """
    if layout.channels == "grey":
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
    stored = apply_pixel_table(image, table)
    if layout.channels == "bgr":
        stored = stored[..., ::-1]
    if layout.axes == "NCHW":
        stored = stored.transpose(2, 0, 1)
    elif layout.axes == "NHW":
        stored = stored[..., 0]
    return np.ascontiguousarray(stored)
