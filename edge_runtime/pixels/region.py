"""The region of a camera's frame: only this rectangle is shrunk and classified.

It is given in fractions of the frame, so that it also fits a frame that was decoded smaller. An image that has already
been cut out (a training image) is never cut again: a region belongs to a camera, not to the model's input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_runtime.contract import InputSpec, Region
from edge_runtime.errors import ModelError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WHOLE = Region(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class RegionInput(InputSpec):
    """A model's input made from ``region`` of a frame; never part of a file."""

    region: Region = WHOLE


def cut_input(spec: InputSpec, region: Region | None) -> InputSpec:
    """``spec``, made from ``region`` of each frame; from the whole frame if it is None."""
    return spec if region is None else RegionInput(spec.height, spec.width, spec.resize, region)


def region_of(spec: InputSpec) -> Region | None:
    """The region that `cut_input` gave ``spec``, or None."""
    return spec.region if isinstance(spec, RegionInput) else None


def parse_region(text: str) -> Region:
    """The region that ``X,Y,W,H`` states, in fractions of the frame; UsageError if it is malformed."""
    try:
        return Region(*map(float, text.split(",")))
    except ModelError as error:
        raise UsageError(str(error).replace("The region", "`region`")) from error
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"`region` is {text!r}, expected X,Y,W,H in fractions of the frame such as 0.25,0.25,0.5,0.5."
        ) from error


def find_region_box(frame_height: int, frame_width: int, region: Region | None) -> tuple[int, int, int, int]:
    """The (top, left, height, width) of ``region`` in a frame, in pixels, at least 1x1; the whole frame for None."""
    if region is None:
        return 0, 0, frame_height, frame_width
    top, height = _span(region.top, region.height, frame_height)
    left, width = _span(region.left, region.width, frame_width)
    return top, left, height, width


def cut_region(pixels: NDArray[np.uint8], region: Region | None) -> NDArray[np.uint8]:
    """The ``region`` of a (h, w, 3) uint8 frame, as a view; the frame itself for None."""
    if region is None:
        return pixels
    top, left, height, width = find_region_box(pixels.shape[0], pixels.shape[1], region)
    return pixels[top : top + height, left : left + width]


def _span(start: float, length: float, size: int) -> tuple[int, int]:
    """(first pixel, number of pixels) of a side of ``size`` pixels."""
    first = min(int(start * size + 0.5), size - 1)
    return first, max(1, min(int((start + length) * size + 0.5), size) - first)
