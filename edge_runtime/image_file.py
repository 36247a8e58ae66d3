"""Reads a picture file into a frame: the one decoder that data sets, calibration and ``classify`` share.

Refuses what could exhaust memory before decoding it; never returns a made-up picture.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

# OpenCV reads its limit once, at import; JPEG bombs of 65,500 x 65,500 pixels are refused by it, before any allocation.
MAX_PIXELS = 100_000_000
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from edge_runtime.errors import DataError, MissingInputError  # noqa: E402
from edge_runtime.preprocess import Image  # noqa: E402

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".gif")


def read_image(path: str | Path) -> Image:
    """The picture at ``path`` as (h, w, 3) uint8 BGR, turned as its EXIF orientation says; grey becomes three channels.

    Raises:
        MissingInputError: there is no such file.
        DataError: the file cannot be read or is no picture that OpenCV can decode, or has more than MAX_PIXELS pixels.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no picture {path}; check the path.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); expected a picture file.") from error
    return decode_image(content, str(path))


def decode_image(content: bytes, name: str) -> Image:
    """The encoded picture ``content`` as (h, w, 3) uint8 BGR; ``name`` is for errors. Raises as `read_image`."""
    try:
        frame = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error as error:
        raise DataError(f"{name} was refused by OpenCV: {error.err}; the limit is {MAX_PIXELS} pixels.") from error
    if frame is None:
        raise DataError(
            f"{name} ({len(content)} bytes) is not a picture that OpenCV can decode; "
            "expected JPEG, PNG, WebP, BMP or TIFF."
        )
    return cast(Image, frame)
