"""An SVG that draws where the model looked over a saved image; it holds no pixels of the image, only its file name.

It is not a raster image, so that nobody takes it for one more training image.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import InputSpec
from edge_runtime.pixels.heat import GREY_LIGHT, encode_cells, find_heat_box
from edge_runtime.pixels.preprocess import find_crop_box


@dataclass(frozen=True, eq=False)
class Looked:
    """The ``shares`` (rows, columns) in [0, 1] of the input that ``spec`` makes from an image."""

    shares: NDArray[np.float32]
    spec: InputSpec


def make_heat_svg(looked: Looked, file: str, width: int, height: int) -> str:
    """The SVG for the image ``file`` beside it, which is ``width`` x ``height`` pixels."""
    left, top, across, down = find_heat_box(height, width, looked.spec)
    crop_top, crop_left, crop_height, crop_width = find_crop_box(height, width, looked.spec)
    cells = base64.b64encode(encode_cells(looked.shares)).decode()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f'<filter id="grey"><feColorMatrix type="saturate" values="0"/><feComponentTransfer>'
        f'<feFuncR type="linear" slope="{GREY_LIGHT}"/><feFuncG type="linear" slope="{GREY_LIGHT}"/>'
        f'<feFuncB type="linear" slope="{GREY_LIGHT}"/></feComponentTransfer></filter>\n'
        f'<clipPath id="seen"><rect x="{crop_left}" y="{crop_top}" width="{crop_width}" height="{crop_height}"/>'
        f"</clipPath>\n"
        f'<image href="{file}" width="{width}" height="{height}" filter="url(#grey)"/>\n'
        f'<image href="data:image/png;base64,{cells}" x="{left * width:.2f}" y="{top * height:.2f}" '
        f'width="{across * width:.2f}" height="{down * height:.2f}" preserveAspectRatio="none" '
        f'clip-path="url(#seen)"/>\n</svg>\n'
    )
