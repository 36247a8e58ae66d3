"""Whether something moved between two frames, judged on a coarse grid of grey cells that costs little to compute.

Only the grey image of a JPEG is decoded, at an eighth of its size; only the luminance of YUYV is averaged. Noise,
flicker and the camera's exposure change all cells of the grid alike; movement changes some. So the median change
between two frames is their noise, as in Rosin and Ioannidis, "Evaluation of global image thresholding for change
detection", Pattern Recognition Letters 24 (2003), and only what exceeds it several times is movement.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import Region
from edge_runtime.errors import DataError
from edge_runtime.pixels.image_file import check_header
from edge_runtime.pixels.jpeg import read_jpeg_header
from edge_runtime.pixels.jpeg_damage import catch_decoder_warning
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image
from edge_runtime.pixels.region import cut_region, find_region_box
from edge_runtime.pixels.shrink import MAX_SHRUNK_BYTES

GRID_WH = (32, 24)
# Of 255: the least by which a cell's mean must change, and the change that is movement whatever the other cells do (a
# lamp is switched, a hand covers the lens).
FLOOR, CAP = 6, 24
# With Gaussian noise one cell in 1,300 changes by five times the median.
NOISE_FACTOR = 5
# The share of the cells that must change; a clock in a corner of the image changes fewer.
LEAST_SHARE = 0.01
_GREY = {8: cv2.IMREAD_REDUCED_GRAYSCALE_8, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2}

Cells = NDArray[np.uint8]


def read_jpeg_cells(content: bytes, name: str, region: Region | None) -> Cells:
    """The cells of ``region`` of a camera's JPEG, the whole frame for None; ``name`` is for errors.

    Raises:
        DataError: it is damaged, as far as the decoder notices, or too large.
    """
    header = read_jpeg_header(content)
    if header is None:
        raise DataError(f"{name} ({len(content)} bytes) has no readable JPEG header; it is damaged.")
    check_header(header, name)
    divisor = _choose_divisor(header.height, header.width, region)
    needed = header.coefficient_bytes + 2 * (header.height // divisor + 1) * (header.width // divisor + 1)
    if needed > MAX_SHRUNK_BYTES:
        raise DataError(
            f"{name} has {header.width}x{header.height} pixels, decoding it takes {needed / 1e6:.0f} MB; the limit is "
            f"{MAX_SHRUNK_BYTES / 1e6:.0f} MB, choose a smaller size."
        )
    with catch_decoder_warning() as warning:
        grey = cv2.imdecode(np.frombuffer(content, np.uint8), _GREY.get(divisor, cv2.IMREAD_GRAYSCALE))
    if grey is None or warning.text:
        raise DataError(f"{name} ({len(content)} bytes) is damaged: {warning.text or 'it cannot be decoded'}.")
    return _average(cast(Image, grey), region)


def read_yuyv_cells(raw: Image, region: Region | None) -> Cells:
    """The cells of ``region`` of a (h, w, 2) uint8 YUYV frame, the whole frame for None."""
    return np.ascontiguousarray(_average(raw, region)[..., 0])


def read_cells(frame: Image, region: Region | None) -> Cells:
    """The cells of ``region`` of a (h, w, 3) uint8 BGR frame, the whole frame for None."""
    return cast(Cells, cv2.cvtColor(_average(frame, region), cv2.COLOR_BGR2GRAY))


def has_moved(cells: Cells, before: Cells) -> bool:
    """Whether something moved between two frames; frames of different size count as moved."""
    if cells.shape != before.shape:
        return True
    changes = cv2.absdiff(cells, before).reshape(-1)
    least = len(changes) - max(1, round(LEAST_SHARE * len(changes)))
    middle = len(changes) // 2
    ordered = np.partition(changes, (middle, least))
    return int(ordered[least]) > min(CAP, max(FLOOR, NOISE_FACTOR * int(ordered[middle])))


def _choose_divisor(height: int, width: int, region: Region | None) -> int:
    """The largest of 8, 4, 2, 1 that leaves at least one pixel per cell."""
    _, _, seen_height, seen_width = find_region_box(height, width, region)
    fits = [by for by in _GREY if seen_height >= by * GRID_WH[1] and seen_width >= by * GRID_WH[0]]
    return max(fits, default=1)


def _average(pixels: Image, region: Region | None) -> Image:
    """The means of ``pixels``, of any number of channels, in a grid of cells; no larger than the region itself."""
    seen = cut_region(pixels, region)
    rows = seen[:: max(1, seen.shape[0] // (4 * GRID_WH[1]))]  # four rows of a cell are enough
    size_wh = min(GRID_WH[0], rows.shape[1]), min(GRID_WH[1], rows.shape[0])
    return cast(Image, cv2.resize(rows, size_wh, interpolation=cv2.INTER_AREA))
