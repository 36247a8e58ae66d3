"""Reads HEIC photos, which iPhones take, if pillow-heif is installed; otherwise says what they are and what to do.

Only the workstation has pillow-heif; it is not imported before a HEIC photo is found.
"""

from __future__ import annotations

import numpy as np

from edge_runtime.errors import DataError
from edge_runtime.pixels.opencv import MAX_PIXELS
from edge_runtime.pixels.preprocess import Image

_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_OTHERS = {b"avif": "an AVIF image", b"avis": "an AVIF sequence", b"qt  ": "a QuickTime film", b"crx ": "a raw photo"}


def decode_heif(content: bytes, name: str) -> Image:
    """The HEIC photo ``content`` as (h, w, 3) uint8 BGR, turned upright; ``name`` is for errors.

    Raises:
        DataError: it is not a HEIC photo, is damaged or too large, or pillow-heif is not installed.
    """
    brand = content[8:12]
    if brand not in _HEIC_BRANDS:
        kind = _OTHERS.get(brand, "a film or a container")
        raise DataError(f"{name} is {kind} ({brand.decode('latin-1')}), expected an image. Save it as JPEG or PNG.")
    try:
        import pillow_heif
    except ImportError as error:
        raise DataError(
            f"{name} is a HEIC photo, which needs pillow-heif (pip install pillow-heif). Or save it as JPEG: "
            f"heif-convert {name} photo.jpg; an iPhone takes JPEG with Settings > Camera > Formats > Most Compatible."
        ) from error
    try:
        photo = pillow_heif.open_heif(content, convert_hdr_to_8bit=True, bgr_mode=True)
        width, height = photo.size
        if width * height > MAX_PIXELS:
            raise DataError(f"{name} has {width}x{height} pixels; the limit is {MAX_PIXELS} pixels.")
        pixels = np.asarray(photo)
    except (ValueError, OSError, EOFError, RuntimeError, SyntaxError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} is a damaged HEIC photo ({error}), expected a whole one. Copy it again.") from error
    if pixels.ndim == 2:
        pixels = np.stack([pixels] * 3, axis=-1)
    return np.ascontiguousarray(pixels[:, :, :3], np.uint8)
