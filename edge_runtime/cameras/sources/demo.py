"""A camera for trying things out: the images that come with the default model, one after another, slowly moving.

With it a live page, a broker or a dashboard can be seen at work, with meaningful labels, before any camera is attached.
"""

from __future__ import annotations

import math
import time

import numpy as np

from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.errors import CameraError
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image
from edge_runtime.system.clock import monotonic_s

WIDTH, HEIGHT, FPS = 640, 480, 20.0
IMAGE_S = 4.0
BORDER = 0.06  # of the image on each side, as room to move


class DemoCamera(FrameSource):
    """640x480 frames at 20 fps for ever; each image is shown for four seconds.

    Raises:
        CameraError: the default model carries no images.
    """

    live = True

    def __init__(self) -> None:
        from edge_runtime.model.model_file import open_model
        from edge_runtime.store.shipped import default_model

        goldens = open_model(default_model()).goldens
        if goldens is None:
            raise CameraError("The default model carries no images to show; use the camera synthetic.")
        size_wh = round(WIDTH * (1 + 2 * BORDER)), round(HEIGHT * (1 + 2 * BORDER))
        self._images = [cv2.resize(image, size_wh, interpolation=cv2.INTER_CUBIC) for image in goldens.images]
        self.name = f"demo of {len(self._images)} images"
        self._start_s = self._next_s = monotonic_s()

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        wait_s = self._next_s - monotonic_s()
        time.sleep(max(0.0, min(wait_s, timeout_s)))
        if wait_s > timeout_s:
            return None
        now_s = monotonic_s()
        self._next_s = max(self._next_s, now_s - 1.0) + 1.0 / FPS
        self.num_captured += 1
        return Frame(self._view(now_s - self._start_s), self.num_captured - 1, now_s)

    def _view(self, passed_s: float) -> Image:
        image = self._images[int(passed_s / IMAGE_S) % len(self._images)]
        left = round(WIDTH * BORDER * (1 + math.sin(1.1 * passed_s)))
        top = round(HEIGHT * BORDER * (1 + math.sin(0.7 * passed_s)))
        return np.ascontiguousarray(image[top : top + HEIGHT, left : left + WIDTH], np.uint8)
