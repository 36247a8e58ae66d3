"""V4L2 cameras, read as raw buffers."""

from __future__ import annotations

import contextlib
import zlib
from pathlib import Path

import numpy as np

from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.devices import find_refusal
from edge_runtime.cameras.identity import Identity, find_again, identify, is_numbered
from edge_runtime.cameras.presence import find_device_path
from edge_runtime.cameras.sources.opencv.capture import OpenCVCamera, name_fourcc, open_capture
from edge_runtime.cameras.sources.opencv.raw_buffer import raw_to_bgr, read_raw_cells
from edge_runtime.contract import InputSpec
from edge_runtime.errors import CameraError, DataError
from edge_runtime.pixels.jpeg_damage import Shifts
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image
from edge_runtime.system.clock import monotonic_s

# A driver's time stamp that is older than this, or in the future, comes from another clock.
OLDEST_STAMP_S = 10.0
# Converting these ends OpenCV's whole process.
UNREADABLE = ("Y10", "Y12", "Y10B", "Y10P", "Y12P")


class DeviceCamera(OpenCVCamera):
    """A V4L2 camera by index or path; prefers MJPG, the only format that USB carries at full rate."""

    asks_lookout = True

    def __init__(self, address: CameraAddress, shrink_for: InputSpec | None = None) -> None:
        path = find_device_path(address.value) if not address.began_with else _find_again(address)
        refusal = find_refusal(path)
        if refusal is not None:
            raise CameraError(f"{path} did not open: it {refusal.words}.")
        mjpg = cv2.VideoWriter.fourcc(*"MJPG")
        options = (cv2.CAP_PROP_FOURCC, mjpg, cv2.CAP_PROP_BUFFERSIZE, 2)
        name = address.shown if str(path) in (address.value, address.shown) else f"{address.shown}, now {path}"
        super().__init__(name, open_capture(str(path.resolve()), cv2.CAP_V4L2, options))
        if not self._capture.isOpened():
            raise CameraError(f"{path} did not open, and the kernel does not say why; unplug it and plug it in again.")
        if is_numbered(address.value):
            with contextlib.suppress(OSError):  # gone already; reading the next frame will say so
                self.began_with = address.began_with or identify(path).to_text()
        self._shrink_for = shrink_for
        self._shifts = Shifts()
        self._fourcc = name_fourcc(int(self._capture.get(cv2.CAP_PROP_FOURCC)))
        if self._fourcc.strip() in UNREADABLE:
            self.close()
            raise CameraError(
                f"{path} sends {self._fourcc.strip()}, grey of 10 or 12 bits, which OpenCV cannot read; expected MJPG, "
                "YUYV or grey of 8 or 16 bits, choose such a format in the camera."
            )
        if self._fourcc in ("MJPG", "JPEG", "YUYV"):
            self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)

    def _captured_s(self) -> float:
        """The driver's time stamp, so that time in its queue counts; now, if the stamp is implausible."""
        now_s, stamp_s = monotonic_s(), self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        return stamp_s if now_s - OLDEST_STAMP_S <= stamp_s <= now_s else now_s

    def _look(self, captured_s: float) -> Image | None:
        is_good, raw = self._capture.retrieve()
        if not is_good or raw is None:
            raise DataError(f"A frame of {self.name} cannot be read.")
        buffer = np.ascontiguousarray(raw, np.uint8)
        self._fingerprint = zlib.crc32(buffer.data)
        if self.lookout is not None:
            fourcc = self._fourcc
            if not self.lookout.wants(
                captured_s, self._fingerprint, lambda region: read_raw_cells(buffer, fourcc, region)
            ):
                return None
        pixels = raw_to_bgr(buffer, self._fourcc, self._shrink_for, self._shifts)
        if pixels is None:
            self.look_again()  # a look is still due
            raise DataError(f"A frame of {self.name} is damaged.")
        return pixels


def _find_again(address: CameraAddress) -> Path:
    """The path of the camera that this number first referred to. Raises CameraError."""
    return find_device_path(str(find_again(Identity.from_text(address.began_with), Path(address.shown))))
