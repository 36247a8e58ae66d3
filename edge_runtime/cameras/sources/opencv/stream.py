"""Network streams that FFmpeg reads."""

from __future__ import annotations

import contextlib
import os
import resource

from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.sources.opencv.capture import OpenCVCamera, name_fourcc, open_capture
from edge_runtime.cameras.sources.opencv.ffmpeg_options import (
    FORMATS,
    STREAM_OPTIONS,
    STREAM_VARIABLE,
    TLS_OPTIONS,
    merge_options,
    set_variable,
)
from edge_runtime.cameras.sources.opencv.playlist import only_host_of
from edge_runtime.cameras.sources.opencv.rtsp_answer import explain_rtsp
from edge_runtime.cameras.sources.opencv.stream_clock import StreamClock
from edge_runtime.errors import CameraError
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image
from edge_runtime.system.clock import monotonic_s

# Opening includes FFmpeg's own analysis of 5 s, and the wait for a key frame, which cameras send every 1 to 10 s.
NETWORK_TIMEOUT_MS = 15_000
TIMEOUTS = (
    cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
    NETWORK_TIMEOUT_MS,
    cv2.CAP_PROP_READ_TIMEOUT_MSEC,
    NETWORK_TIMEOUT_MS,
)
# FFmpeg decodes frames side by side, and each thread more makes the newest image older by one frame: 0.6 s at five
# frames a second and four threads. So there is one, unless the stream may be too much for one slow core.
MOST_PIXELS_PER_S = 1280 * 720 * 30
MOST_THREADS = 4
# Of a stream that does not say its rate, or none that a camera has.
USUAL_FPS, MOST_FPS = 25.0, 240.0
JPEG_CODES = ("MJPG", "MJPE", "JPEG")


class StreamCamera(OpenCVCamera):
    """A network stream that FFmpeg understands, encrypted or by RTSP through `Relay`, for FFmpeg checks less."""

    def __init__(self, address: CameraAddress, camera_ca: str | None = None, refusal: str = "") -> None:
        """``refusal`` is why another reader left this address to FFmpeg."""
        begun_s = monotonic_s()
        options = merge_options(os.environ.get(STREAM_VARIABLE, ""), f"{STREAM_OPTIONS}|format_whitelist;{FORMATS}")
        self._relay, target = None, address.value
        if address.is_encrypted:
            options = f"{options}|{TLS_OPTIONS}"  # the last of equal options counts
        # UDP finds no way through, so whoever states it goes without.
        if address.is_encrypted or (address.kind == "rtsp" and "rtsp_transport;tcp" in options.split("|")):
            from edge_runtime.cameras.sources.opencv.relay import Relay

            self._relay = Relay(address.value, address.shown, camera_ca)
            target = self._relay.address
        self._fence = contextlib.ExitStack()
        self._fence.enter_context(only_host_of(target))
        self._clock: StreamClock | None = None
        self._sees_waits, self._has_waited = False, True
        with set_variable(STREAM_VARIABLE, options):
            if address.kind == "rtsp":
                capture, num_threads = _open_rtsp(target)
                self._clock = StreamClock(begun_s, _count_held(capture, num_threads))
                self._sees_waits = num_threads == 1
            else:  # where a live stream comes in pieces, or a file as fast as it is read
                capture = open_capture(target, cv2.CAP_FFMPEG, TIMEOUTS)
        super().__init__(address.shown, capture)
        if not capture.isOpened():
            why = self._relay.refusal if self._relay is not None else ""
            why = why or explain_rtsp(target if address.is_encrypted else address.value, NETWORK_TIMEOUT_MS / 1000)
            self.close()
            raise CameraError(f"{refusal} {self.name} {why}." if refusal else f"{self.name} {why}.")

    def close(self) -> None:
        super().close()
        self._fence.close()
        if self._relay is not None:
            self._relay.close()

    def _grab(self) -> bool:
        sleeps, num_dry = _count_sleeps(), self._relay.num_dry if self._relay is not None else -1
        has_frame = super()._grab()
        # A thread that sleeps meanwhile waits for the camera, if not for other threads: those that decode, or the
        # relay, which for its part had to wait for the camera.
        is_dry = self._relay is None or self._relay.num_dry > num_dry
        self._has_waited = is_dry and (not self._sees_waits or _count_sleeps() > sleeps)
        return has_frame

    def _captured_s(self) -> float:
        now_s = monotonic_s()
        if self._clock is None:
            return now_s
        stream_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        return self._clock.date(stream_s, now_s, has_waited=self._has_waited)

    def _look(self, captured_s: float) -> Image | None:
        # In a burst they would also be taken for the camera's rate.
        return None if self._clock is not None and self._clock.is_catching_up else super()._look(captured_s)


def _count_sleeps() -> int:
    """How often this thread has waited for something so far; being interrupted by others is no waiting."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def _open_rtsp(target: str) -> tuple[cv2.VideoCapture, int]:
    """The stream, and by how many threads it is decoded."""
    capture = open_capture(target, cv2.CAP_FFMPEG, (*TIMEOUTS, cv2.CAP_PROP_N_THREADS, 1))
    num_threads = min(MOST_THREADS, len(os.sched_getaffinity(0)))
    if num_threads == 1 or not capture.isOpened() or _count_pixels_per_s(capture) <= MOST_PIXELS_PER_S:
        return capture, 1
    capture.release()
    return open_capture(target, cv2.CAP_FFMPEG, (*TIMEOUTS, cv2.CAP_PROP_N_THREADS, num_threads)), num_threads


def _count_held(capture: cv2.VideoCapture, num_threads: int) -> int:
    """How many frames have to arrive after one before it comes out.

    A JPEG is decoded as it is; where any other image ends is seen when the next begins.
    """
    is_jpeg = name_fourcc(int(capture.get(cv2.CAP_PROP_FOURCC))).upper() in JPEG_CODES
    return 0 if is_jpeg else num_threads


def _count_pixels_per_s(capture: cv2.VideoCapture) -> float:
    fps = capture.get(cv2.CAP_PROP_FPS)
    size = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    return size * (fps if 0 < fps <= MOST_FPS else USUAL_FPS)
