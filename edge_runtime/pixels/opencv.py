"""Imports OpenCV, here and nowhere else in this package: sets its limit on image size, or says what to install.

Nothing but the import belongs here.
"""

from __future__ import annotations

import os

from edge_runtime.errors import ConfigurationError

# OpenCV reads this limit once, at import; with it, it refuses JPEG bombs of 65,500 x 65,500 pixels before allocating.
MAX_PIXELS = 100_000_000
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

try:
    import cv2
except ImportError as missing:  # not installed, or a system library that it needs is missing
    raise ConfigurationError(
        f"OpenCV cannot be loaded ({missing}). Install it: pip install opencv-python-headless, or "
        "sudo apt install python3-opencv."
    ) from missing

__all__ = ["MAX_PIXELS", "cv2"]
