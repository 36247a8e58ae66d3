"""Video files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from edge_runtime.cameras.sources.opencv.capture import name_fourcc, silence_opencv, to_three_channels
from edge_runtime.cameras.sources.opencv.ffmpeg_options import FORMATS, STREAM_VARIABLE, set_variable
from edge_runtime.cameras.sources.opencv.playlist import SNIFFED_BYTES, name_playlist
from edge_runtime.cameras.sources.playback import Recording
from edge_runtime.errors import DataError
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image

# For a video file that does not state its rate.
USUAL_FPS = 25.0


class VideoFileCamera(Recording):
    """Every frame of a video file, once, as fast as it is asked for."""

    def __init__(self, path: str) -> None:
        silence_opencv()
        _expect_no_playlist(path)
        self._path, self.name = path, Path(path).name
        self.rewind()

    def rewind(self) -> None:
        options = os.environ.get(STREAM_VARIABLE, f"format_whitelist;{FORMATS}|protocol_whitelist;file")
        with set_variable(STREAM_VARIABLE, options):
            self._capture = cv2.VideoCapture(self._path, cv2.CAP_FFMPEG)
        # Phones record the rotation as metadata; whether OpenCV applies it by default depends on its version.
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        if not self._capture.isOpened():
            raise DataError(
                f"{self._path} is not a video that OpenCV can read; expected a file such as .mp4, .avi or .mkv."
            )
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.interval_s = 1.0 / (fps if 0 < fps <= 1000 else USUAL_FPS)
        self.position_s = None

    def step(self) -> bool:
        if not self._capture.grab():
            if self.position_s is None:
                codec = name_fourcc(int(self._capture.get(cv2.CAP_PROP_FOURCC))).strip("\0 ") or "unknown"
                raise DataError(
                    f"{self._path} has no frame that this OpenCV can decode (its codec is {codec}); convert it "
                    "with: ffmpeg -i FILE -c:v libx264 -pix_fmt yuv420p NEW.mp4"
                )
            return False
        stamp_s, before_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3, self.position_s
        # Some files have no time stamps, or wrong ones.
        is_later = before_s is None or stamp_s > before_s
        self.position_s = stamp_s if is_later else (before_s or 0.0) + self.interval_s
        return True

    def decode(self) -> Image | None:
        is_good, pixels = self._capture.retrieve()
        return to_three_channels(np.asarray(pixels)) if is_good and pixels is not None else None

    def close(self) -> None:
        super().close()
        self._capture.release()


def _expect_no_playlist(path: str) -> None:
    try:
        with open(path, "rb") as file:
            found = name_playlist(file.read(SNIFFED_BYTES))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); expected a video file.") from error
    if found:
        raise DataError(f"{path} is {found}, expected a video itself; name one that it lists.")
