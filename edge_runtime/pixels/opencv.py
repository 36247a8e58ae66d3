"""OpenCV, imported here and nowhere else in this package: with its limit on images set, or with what to install.

Never anything but the import: what is done with pixels stands where it is done.
"""

from __future__ import annotations

import os

from edge_runtime.errors import ConfigurationError

# OpenCV reads its limit once, at import; JPEG bombs of 65,500 x 65,500 pixels are refused by it, before any allocation.
MAX_PIXELS = 100_000_000
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

try:
    import cv2
except ImportError as missing:  # not installed, or a library of the system that it needs is not
    raise ConfigurationError(
        f"OpenCV cannot be loaded ({missing}). Install it: pip install opencv-python-headless, or "
        "sudo apt install python3-opencv."
    ) from missing

__all__ = ["MAX_PIXELS", "cv2"]
