"""A live camera that OpenCV reads, and what every use of `cv2.VideoCapture` here needs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.errors import CameraError, DataError
from edge_runtime.pixels.preprocess import Image, check_frame
from edge_runtime.system.clock import monotonic_s

# Silences FFmpeg on stderr; read when its first stream is opened.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import numpy as np

from edge_runtime.pixels.opencv import cv2


class OpenCVCamera(FrameSource):
    """One live ``cv2.VideoCapture``, whose frames OpenCV converts."""

    live = True

    def __init__(self, name: str, capture: cv2.VideoCapture) -> None:
        self.name, self._capture = name, capture
        self._fingerprint: int | None = None

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        deadline_s = monotonic_s() + timeout_s
        while not self.ended:
            has_frame = self._grab()
            captured_s = self._captured_s()
            if not has_frame:
                raise CameraError(f"{self.name} stopped giving frames; check the cable, the power or the network.")
            try:
                pixels = self._look(captured_s)
            except DataError:
                self.num_bad += 1
            else:
                self.num_captured += 1
                if pixels is not None:
                    return Frame(pixels, self.num_captured - 1, captured_s, fingerprint=self._fingerprint)
            if monotonic_s() >= deadline_s:  # also after damaged or skipped images, which the caller counts
                break
        return None

    def close(self) -> None:
        super().close()
        self._capture.release()

    def _grab(self) -> bool:
        """Grabs the next frame; False if the stream has ended."""
        return bool(self._capture.grab())

    def _captured_s(self) -> float:
        """When the frame just grabbed was captured, as far as is known."""
        return monotonic_s()

    def _look(self, captured_s: float) -> Image | None:
        """The frame just grabbed, None if it is not looked at; DataError if it is damaged."""
        if self.lookout is not None and self.lookout.rests(captured_s):
            return None
        is_good, pixels = self._capture.retrieve()
        if not is_good or pixels is None:
            raise DataError(f"A frame of {self.name} cannot be decoded.")
        return to_three_channels(np.asarray(pixels))


def open_capture(target: str, backend: int, options: Sequence[int]) -> cv2.VideoCapture:
    """OpenCV's capture of ``target``, open or not; ``options`` are property, value, property, value ..."""
    silence_opencv()
    return cv2.VideoCapture(target, backend, list(options))


def silence_opencv() -> None:
    """Turns off warnings on stderr; OpenCV 4 and 5 have the switch in different places."""
    logging: Any = getattr(getattr(cv2, "utils", None), "logging", None)
    getattr(logging if logging is not None else cv2, "setLogLevel")(0)  # noqa: B009


def to_three_channels(pixels: Image) -> Image:
    """(h, w, 3) uint8 BGR of grey, BGR or BGRA pixels."""
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8)
    if pixels.shape[2] == 4:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), np.uint8)
    check_frame(pixels)
    return pixels


def name_fourcc(code: int) -> str:
    """The four characters that OpenCV packs into a number."""
    return code.to_bytes(4, "little", signed=code < 0).decode("ascii", "replace")
