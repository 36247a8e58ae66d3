"""The Raspberry Pi's own camera through Picamera2, for those who have it: raw pixels, without JPEG in between.

Picamera2 comes from Debian (``python3-picamera2``), not from PyPI, and has many dependencies; ``csi`` needs none of
them. It is imported only when this camera is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.errors import CameraError
from edge_runtime.system.clock import monotonic_s

SIZE_WH = (640, 480)
# What libcamera calls RGB888 is B, G, R in memory (The Picamera2 Library, section 4.2.2, "Image formats").
BGR_IN_MEMORY = "RGB888"


class Picamera2Camera(FrameSource):
    """640x480 frames of the first camera.

    Raises:
        CameraError: Picamera2 is not installed, or it finds no camera.
    """

    live = True
    name = "Pi camera by Picamera2"

    def __init__(self, framerate: int = 30) -> None:
        try:
            library = import_module("picamera2")
        except ImportError as error:
            raise CameraError(
                f"Picamera2 cannot be imported ({error}); expected Debian's python3-picamera2 in an environment "
                "made with --system-site-packages. Use the camera csi, which needs neither."
            ) from error
        try:
            self._camera = library.Picamera2()
        except (IndexError, RuntimeError) as error:
            raise self._cannot_open(error) from error
        try:
            try:
                self._start(self._configuration(controls={"FrameRate": framerate}))
            except RuntimeError:  # some cameras have no such control, and work without it
                # Older versions of Picamera2 add controls of their own.
                self._start({**self._configuration(), "controls": {}})
        except BaseException as error:  # a camera left open would refuse every later attempt
            self._camera.close()
            if isinstance(error, (IndexError, RuntimeError)):
                raise self._cannot_open(error) from error
            raise

    def _configuration(self, **options: Any) -> dict[str, Any]:
        main = {"size": SIZE_WH, "format": BGR_IN_MEMORY}
        configuration: dict[str, Any] = self._camera.create_video_configuration(main=main, **options)
        return configuration

    def _start(self, configuration: dict[str, Any]) -> None:
        self._camera.configure(configuration)
        self._camera.start()

    def _cannot_open(self, error: Exception) -> CameraError:
        return CameraError(
            f"The {self.name} cannot be opened ({error}); is a camera attached? Try rpicam-hello --list-cameras."
        )

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        # Blocks until the next frame; a silent camera is handled by whoever watches this process.
        pixels = np.asarray(self._camera.capture_array("main"), np.uint8)
        self.num_captured += 1
        return Frame(pixels, self.num_captured - 1, monotonic_s())

    def close(self) -> None:
        if not self.ended:
            self._camera.stop()
            self._camera.close()
        super().close()
