"""Fakes at the process boundary that the camera tests share: a network camera with knobs, a clock, a toy model,
waiting.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.cameras.synthetic import numbered_picture, wave_picture
from edge_runtime.classifier import Classifier
from edge_runtime.model_file import ModelFile, open_model

TOYS = Path(__file__).parent / "toys"
PICTURE_HEIGHT, PICTURE_WIDTH = 240, 320


def encode(picture: np.ndarray, quality: int = 85) -> bytes:
    """``picture`` as the bytes of a JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


class FakeNetworkCamera:
    """A real MJPEG-over-HTTP server on loopback whose faults are attributes that may change while it serves.

    ``picture`` gives the bytes of picture n; ``fps`` its rate; ``stalled`` keeps connections open and silent;
    ``announce_length`` may be turned off; `stop` refuses and cuts everything, `start` serves again on the same port.
    """

    def __init__(self, fps: float = 100.0, picture: Callable[[int], bytes] | None = None) -> None:
        background = wave_picture(PICTURE_HEIGHT, PICTURE_WIDTH)
        self.picture = picture or (lambda number: encode(numbered_picture(background, number)))
        self.fps = fps
        self.stalled = threading.Event()
        self.announce_length = True
        self.num_sent = self.num_connections = 0
        self.requests: list[bytes] = []
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self._stopping = threading.Event()
        self.port = 0
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/stream.mjpg"

    def start(self) -> None:
        self._stopping.clear()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._spawn(self._accept, self._listener)

    def stop(self) -> None:
        self._stopping.set()
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._threads.clear()

    def _spawn(self, function: Callable[[socket.socket], None], argument: socket.socket) -> None:
        thread = threading.Thread(target=function, args=(argument,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self._connections.append(connection)
                self.num_connections += 1
                self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            self.requests.append(connection.recv(65536))
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n--frame\r\n"
            )
            while not self._stopping.wait(1 / self.fps):
                if self.stalled.is_set():
                    continue
                content = self.picture(self.num_sent)
                self.num_sent += 1
                length = b"Content-Length: %d\r\n" % len(content) if self.announce_length else b""
                connection.sendall(b"Content-Type: image/jpeg\r\n" + length + b"\r\n" + content + b"\r\n--frame\r\n")


class FakeClock:
    """Monotonic seconds that move only when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def network_camera() -> Iterator[FakeNetworkCamera]:
    camera = FakeNetworkCamera()
    yield camera
    camera.stop()


@pytest.fixture(scope="session")
def toy_path() -> Path:
    """A tiny uint8 model that says whether a picture is mostly red, green or blue."""
    return TOYS / "uint8_metadata.tflite"


@pytest.fixture(scope="session")
def toy_model(toy_path: Path) -> ModelFile:
    return open_model(toy_path)


@pytest.fixture(scope="session")
def toy(toy_model: ModelFile) -> Classifier:
    return Classifier(toy_model)


@pytest.fixture
def read_until() -> Callable[[FrameSource, Callable[[Frame | None], bool], float], Frame | None]:
    """Reads ``source`` until ``is_done(frame or None)``, at most ``limit_s`` seconds of real time, else fails."""

    def read(source: FrameSource, is_done: Callable[[Frame | None], bool], limit_s: float) -> Frame | None:
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            frame = source.read(0.02)
            if is_done(frame):
                return frame
        pytest.fail(f"not within {limit_s} s; the camera says {source.trouble!r}, counts {source.counts()}")

    return read
