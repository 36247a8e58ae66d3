"""The reader of RTSP against a real server: frames in order, and as old as they are."""

from __future__ import annotations

import itertools
import shutil
import time
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.cameras.address import parse_camera
from edge_runtime.cameras.frame import Frame
from edge_runtime.cameras.sources.opencv import stream
from edge_runtime.cameras.sources.opencv.ffmpeg_options import STREAM_VARIABLE
from edge_runtime.cameras.sources.opencv.stream import StreamCamera
from edge_runtime.cameras.sources.synthetic import read_image_number
from tests.tools.rtsp.pictures import H264, draw_h264, draw_jpeg
from tests.tools.rtsp.server import RtspCamera

NUM_IMAGES = 64


def take(camera: StreamCamera, count: int) -> list[Frame]:
    frames = []
    while len(frames) < count:
        frame = camera.read(5.0)
        assert frame is not None, "the camera fell silent"
        frames.append(Frame(frame.pixels.copy(), frame.seq, frame.captured_s))
    return frames


def test_jpeg_over_rtsp_comes_in_order_and_whole() -> None:
    with (
        RtspCamera(draw_jpeg(320, 240, NUM_IMAGES), 60.0) as server,
        StreamCamera(parse_camera(server.address)) as camera,
    ):
        frames = take(camera, 30)
    numbers = [read_image_number(frame.pixels) for frame in frames]
    # A busy machine's server leaves out what it could not send in time.
    sent = [number % NUM_IMAGES for number in sorted(server.sent_s)]
    assert any(sent[place : place + len(numbers)] == numbers for place in range(len(sent)))
    assert frames[0].pixels.shape == (240, 320, 3)
    assert [request.split(" ")[0] for request in server.requests[:4]] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]


def test_what_waited_in_the_connection_while_nobody_read_is_not_called_new() -> None:
    stopped_s = 1.0
    with (
        RtspCamera(draw_jpeg(320, 240, NUM_IMAGES), 30.0) as server,
        StreamCamera(parse_camera(server.address)) as camera,
    ):
        take(camera, 60)
        time.sleep(stopped_s)
        read_s = time.monotonic()
        first = take(camera, 1)[0]
    sent_s = server.sent_s[max(n for n in server.sent_s if n % NUM_IMAGES == read_image_number(first.pixels))]
    assert read_s - sent_s > stopped_s / 2, "it has waited"
    assert first.captured_s <= sent_s + 0.1, "and is called as old as it is, whatever the load of this machine"


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg makes the stream")
def test_the_image_that_the_decoder_holds_back_counts_in_the_age_of_h264() -> None:
    with (
        RtspCamera(draw_h264(320, 240, NUM_IMAGES), 10.0, **H264) as server,
        StreamCamera(parse_camera(server.address)) as camera,
    ):
        frames = take(camera, 30)
    late_s = []
    for frame in frames[-10:]:
        number = read_image_number(frame.pixels)
        sent_s = server.sent_s[max(n for n in server.sent_s if n % NUM_IMAGES == number)]
        late_s.append(frame.captured_s - sent_s)
    assert np.median(late_s) < 0.09, "without it each would be called younger by the 0.1 s to the next"


class FakeCapture:
    """An open stream of one size, rate and codec."""

    def __init__(self, codec: str, width: int, height: int, fps: float) -> None:
        self.values = {
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*codec),
            cv2.CAP_PROP_FRAME_WIDTH: width,
            cv2.CAP_PROP_FRAME_HEIGHT: height,
            cv2.CAP_PROP_FPS: fps,
        }

    def isOpened(self) -> bool:
        return True

    def get(self, which: int) -> float:
        return float(self.values.get(which, 0.0))

    def grab(self) -> bool:
        return True

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.zeros((2, 2, 3), np.uint8)

    def release(self) -> None: ...


@pytest.mark.parametrize(
    ("described", "threads", "num_held"),
    [
        (("h264", 640, 480, 5.0), [1], 1),
        (("h264", 1280, 720, 30.0), [1], 1),
        (("hevc", 1920, 1080, 25.0), [1, 4], 4),
        (("h264", 3840, 2160, 0.0), [1, 4], 4),
        (("h264", 1280, 720, 90_000.0), [1], 1),
        (("mjpg", 640, 480, 30.0), [1], 0),
    ],
)
def test_only_a_stream_that_is_too_much_for_one_core_is_decoded_by_several_which_makes_it_older(
    described: Any, threads: list[int], num_held: int, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    opened = []

    def open_fake(target: str, backend: int, options: list[int]) -> FakeCapture:
        opened.append(dict(zip(options[::2], options[1::2], strict=True))[cv2.CAP_PROP_N_THREADS])
        return FakeCapture(*described)

    monkeypatch.setattr(cv2, "VideoCapture", open_fake)
    monkeypatch.setattr(stream.os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(stream, "monotonic_s", clock)
    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.capture.monotonic_s", clock)
    sleeps = itertools.count()
    monkeypatch.setattr(stream, "_count_sleeps", lambda: next(sleeps))
    ages_s = []
    monkeypatch.setenv(STREAM_VARIABLE, "rtsp_transport;udp")  # without a relay
    with StreamCamera(parse_camera("rtsp://127.0.0.1/x")) as camera:
        for _ in range(40):
            clock.now_s += 0.1
            frame = camera.read(0.0)
            if frame is not None:
                ages_s.append(clock.now_s - frame.captured_s)
    assert opened == threads and 30 <= len(ages_s) < 40, "what came while it was opened is not handed out"
    assert ages_s[-1] == pytest.approx(0.1 * num_held)
