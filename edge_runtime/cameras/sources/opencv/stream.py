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

# Opening includes 5 s of FFmpeg's own analysis and the wait for a key frame, which cameras send every 1 to 10 s.
NETWORK_TIMEOUT_MS = 15_000
TIMEOUTS = (
    cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
    NETWORK_TIMEOUT_MS,
    cv2.CAP_PROP_READ_TIMEOUT_MSEC,
    NETWORK_TIMEOUT_MS,
)
# FFmpeg decodes frames in parallel, and each extra thread makes the newest image one frame older: 0.6 s at five frames
# a second and four threads. So there is one thread, unless the stream may be too much for one slow core.
MOST_PIXELS_PER_S = 1280 * 720 * 30
MOST_THREADS = 4
# For a stream that states no rate, or an implausible one.
USUAL_FPS, MOST_FPS = 25.0, 240.0
JPEG_CODES = ("MJPG", "MJPE", "JPEG")


class StreamCamera(OpenCVCamera):
    """A network stream that FFmpeg reads; encrypted streams and RTSP go through `Relay`, because FFmpeg checks less."""

    def __init__(self, address: CameraAddress, camera_ca: str | None = None, refusal: str = "") -> None:
        """``refusal`` says why another reader left this address to FFmpeg."""
        begun_s = monotonic_s()
        options = merge_options(os.environ.get(STREAM_VARIABLE, ""), f"{STREAM_OPTIONS}|format_whitelist;{FORMATS}")
        self._relay, target = None, address.value
        if address.is_encrypted:
            options = f"{options}|{TLS_OPTIONS}"  # of two options with the same name the last one counts
        # UDP cannot pass through the relay, so a user who asks for UDP goes without it.
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
            else:  # no clock: a live stream may come in segments, and a file as fast as it is read
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
        # Sleeping means waiting for the camera, unless it was for another thread: a decoding thread (then sleeps say
        # nothing), or the relay (then the relay must itself have waited for the camera).
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
        # Frames from before the stream was open are passed over: they are old, and their burst would look like the
        # camera's rate.
        return None if self._clock is not None and self._clock.is_catching_up else super()._look(captured_s)


def _count_sleeps() -> int:
    """How often this thread has waited for something so far; being preempted does not count."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def _open_rtsp(target: str) -> tuple[cv2.VideoCapture, int]:
    """The stream, and how many threads decode it."""
    capture = open_capture(target, cv2.CAP_FFMPEG, (*TIMEOUTS, cv2.CAP_PROP_N_THREADS, 1))
    num_threads = min(MOST_THREADS, len(os.sched_getaffinity(0)))
    if num_threads == 1 or not capture.isOpened() or _count_pixels_per_s(capture) <= MOST_PIXELS_PER_S:
        return capture, 1
    capture.release()
    return open_capture(target, cv2.CAP_FFMPEG, (*TIMEOUTS, cv2.CAP_PROP_N_THREADS, num_threads)), num_threads


def _count_held(capture: cv2.VideoCapture, num_threads: int) -> int:
    """How many later frames have to arrive before a frame comes out of the decoder.

    A JPEG is decoded at once; the end of any other image is recognised only when the next one begins.
    """
    is_jpeg = name_fourcc(int(capture.get(cv2.CAP_PROP_FOURCC))).upper() in JPEG_CODES
    return 0 if is_jpeg else num_threads


def _count_pixels_per_s(capture: cv2.VideoCapture) -> float:
    fps = capture.get(cv2.CAP_PROP_FPS)
    size = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    return size * (fps if 0 < fps <= MOST_FPS else USUAL_FPS)
