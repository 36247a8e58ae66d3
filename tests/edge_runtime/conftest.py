"""Fakes at the process boundary that the camera tests share: a network camera with knobs, a clock, a toy model,
waiting.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.cameras.sources.opencv.ffmpeg_options import STREAM_VARIABLE
from edge_runtime.cameras.sources.synthetic import draw_numbered_image, draw_wave_image
from edge_runtime.contract import Contract
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import Interpreter
from edge_runtime.model.goldens import Goldens, hash_input, repeat_pixels
from edge_runtime.model.model_file import ModelFile, open_model, read_model, write_model

TOYS = Path(__file__).parent / "toys"
IMAGE_HEIGHT, IMAGE_WIDTH = 240, 320


def encode(image: np.ndarray, quality: int = 85) -> bytes:
    """``image`` as the bytes of a JPEG."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


class FakeNetworkCamera:
    """A real MJPEG-over-HTTP server on loopback whose faults are attributes that may change while it serves.

    ``image`` gives the bytes of image n; ``fps`` its rate; ``stalled`` keeps connections open and silent;
    ``announce_length`` may be turned off; `stop` refuses and cuts everything, `start` serves again on the same port.
    """

    def __init__(self, fps: float = 100.0, image: Callable[[int], bytes] | None = None) -> None:
        background = draw_wave_image(IMAGE_HEIGHT, IMAGE_WIDTH)
        self.image = image or (lambda number: encode(draw_numbered_image(background, number)))
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
                content = self.image(self.num_sent)
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


class FakeCameras:
    """V4L2 devices below ``root``, as sysfs, udev and the kernel's ioctls show them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._nodes: dict[str, dict[str, Any]] = {}

    def plug_in(
        self, number: int, card: str = "C270", bus: str = "usb-1", serial: str = "", index: int = 0, **knobs: Any
    ) -> Path:
        """A device /dev/videoNUMBER; ``knobs`` are ``capabilities``, ``formats`` and ``requested``, the errno of asking for
        its buffers."""
        path = self.root / f"dev/video{number}"
        usb = self.root / "devices" / bus.replace("/", "-")
        node = usb / f"1-1:1.0/video4linux/video{number}"
        for folder in (path.parent, node, self.root / "sys/class/video4linux", self.root / "dev/v4l/by-id"):
            folder.mkdir(parents=True, exist_ok=True)
        path.touch()
        (node / "name").write_text(card + "\n")
        (node / "index").write_text(f"{index}\n")
        (node / "device").unlink(missing_ok=True)
        (node / "device").symlink_to("../..")
        (usb / "serial").unlink(missing_ok=True)
        if serial:
            (usb / "serial").write_text(serial + "\n")
        link = self.root / "sys/class/video4linux" / path.name
        link.unlink(missing_ok=True)
        link.symlink_to(node)
        by_id = self.root / "dev/v4l/by-id" / "-".join(filter(None, ("usb", card, serial, f"video-index{index}")))
        by_id.unlink(missing_ok=True)
        by_id.symlink_to(f"../../video{number}")
        self._nodes[str(path)] = {"card": card, "bus": bus, "capabilities": 1, "formats": (b"MJPG",), **knobs}
        return path

    def pull_out(self, number: int) -> None:
        path = self.root / f"dev/video{number}"
        path.unlink()
        (self.root / "sys/class/video4linux" / path.name).unlink()
        for link in (self.root / "dev/v4l/by-id").iterdir():
            if not link.exists():
                link.unlink()

    def ioctl(self, fd: int, request: int, argument: bytearray) -> int:
        """In the place of `fcntl.ioctl`."""
        node = self._nodes.get(os.readlink(f"/proc/self/fd/{fd}"))
        if node is None:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        if request == 0x80685600:
            for start, text in ((16, node["card"]), (48, node["bus"])):
                argument[start : start + len(text)] = text.encode()
            struct.pack_into("<II", argument, 84, 0x80000000, node["capabilities"])
        elif request == 0xC0405602:
            index, kind = struct.unpack_from("<II", argument)
            if index >= len(node["formats"]) or kind != (1 if node["capabilities"] & 1 else 9):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            argument[44:48] = node["formats"][index]
        elif node.get("requested") is not None:
            raise OSError(node["requested"], os.strerror(node["requested"]))
        return 0


@pytest.fixture
def fake_cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCameras:
    """A machine without cameras yet; its root is below the test's folder."""
    cameras = FakeCameras(tmp_path / "machine")
    monkeypatch.setattr("fcntl.ioctl", cameras.ioctl)
    return cameras


@pytest.fixture
def machine_cameras() -> Iterator[None]:
    """The cameras that one process of the machine can hold, for this test alone.

    `make test` runs these tests in two environments side by side, and the lock of a camera counts on the whole machine.
    """
    path = Path(tempfile.gettempdir()) / f"edge-runtime-tests-{os.geteuid()}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def network_camera() -> Iterator[FakeNetworkCamera]:
    camera = FakeNetworkCamera()
    yield camera
    camera.stop()


@pytest.fixture(scope="session")
def toy_path() -> Path:
    """A tiny uint8 model that says whether an image is mostly red, green or blue."""
    return TOYS / "uint8_metadata.tflite"


@pytest.fixture(scope="session")
def toy_model(toy_path: Path) -> ModelFile:
    return open_model(toy_path)


@pytest.fixture(scope="session")
def toy(toy_model: ModelFile) -> Classifier:
    return Classifier(toy_model)


@pytest.fixture
def read_until() -> Callable[..., Frame | None]:
    """Reads ``source`` until ``is_done(frame or None)``, else fails after ``limit_s`` seconds of real time.

    They only end a test that hangs: a process may take 20 s to start and as long to open on a busy machine.
    """

    def read(source: FrameSource, is_done: Callable[[Frame | None], bool], limit_s: float = 120) -> Frame | None:
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            frame = source.read(0.02)
            if is_done(frame):
                return frame
        pytest.fail(f"not within {limit_s} s; the camera says {source.trouble!r}, counts {source.counts()}")

    return read


LABEL_TEXT = "red\ngreen\nblue\n"


@pytest.fixture(scope="session")
def toy_bytes() -> Callable[[str], bytes]:
    return lambda name: (TOYS / f"{name}.tflite").read_bytes()


@pytest.fixture(scope="session")
def toy_contract(toy_bytes: Callable[[str], bytes]) -> Callable[[str], Contract]:
    return lambda name: read_model(toy_bytes(name), name, LABEL_TEXT).contract


def record_goldens(flatbuffer: bytes, classifier: Classifier) -> Goldens:
    """Three frames of odd sizes, one of each colour with noise, recorded on the first interpreter that is installed."""
    chance = np.random.default_rng(0)
    images, repeats = [], (1, 1, 3)
    for channel in range(3):
        frame = chance.integers(0, 60, (9 + channel, 17, 3), dtype=np.uint8)
        frame[..., channel] += 180
        images.append(frame)
    reference = Interpreter(flatbuffer, classifier.interpreter.backend, kernels="reference")
    inputs = np.stack([classifier.input_tensor(repeat_pixels(*each)) for each in zip(images, repeats, strict=True)])
    return Goldens(
        tuple(images),
        np.array(repeats, np.uint8),
        np.stack([hash_input(tensor) for tensor in inputs]),
        np.stack([classifier.interpreter.invoke(tensor) for tensor in inputs]),
        np.stack([reference.invoke(tensor) for tensor in inputs]),
        classifier.interpreter.kernels,
        (classifier.interpreter.backend,),
    )


@pytest.fixture(scope="session")
def toy_goldens(toy_bytes: Callable[[str], bytes]) -> Goldens:
    content = toy_bytes("uint8")
    return record_goldens(content, Classifier(read_model(content, "toy", LABEL_TEXT)))


@pytest.fixture(scope="session")
def toy_file(toy_bytes: Callable[[str], bytes], toy_goldens: Goldens) -> bytes:
    """The toy with metadata, without its own label zip, written as convert writes files."""
    whole = toy_bytes("uint8_metadata")
    contract = read_model(whole, "toy").contract
    return write_model(whole[: whole.index(b"PK\x03\x04")], contract, toy_goldens)


MakeModel = Callable[..., bytes]


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """The toy that says red, green or blue as a file of ours; ``number`` makes different ones, ``labels`` rename them,
    ``change`` may spoil contract and goldens."""
    whole = (TOYS / "uint8_metadata.tflite").read_bytes()
    flatbuffer, contract = whole[: whole.index(b"PK\x03\x04")], read_model(whole, "toy").contract
    goldens = record_goldens(flatbuffer, Classifier(read_model(whole, "toy")))

    def make(
        number: int = 0,
        labels: tuple[str, ...] = ("red", "green", "blue"),
        change: Callable[[Contract, Goldens], tuple[Contract, Goldens | None]] = lambda contract, goldens: (
            contract,
            goldens,
        ),
    ) -> bytes:
        spec = dataclasses.replace(contract.spec, labels=labels)
        own = dataclasses.replace(contract, spec=spec, provenance={"number": number})
        return write_model(flatbuffer, *change(own, goldens))

    return make


@pytest.fixture
def save(tmp_path: Path) -> Callable[[bytes, str], str]:
    """Writes a model file; gives its path."""

    def write(content: bytes, name: str = "model.tflite") -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


@pytest.fixture
def lonely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No store and no keys but those of the test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("EDGE_RUNTIME_STORE", str(tmp_path / "store"))
    (tmp_path / ".keys").mkdir(exist_ok=True)  # hidden, for some tests take every other folder there for a class
    monkeypatch.setenv("EDGE_RUNTIME_KEYS", str(tmp_path / ".keys"))


@pytest.fixture
def opened_captures(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What OpenCV is given to open instead of opening it, and FFmpeg's options at that moment."""
    opened: list[tuple[str, str]] = []

    class FakeCapture:
        def __init__(self, target: str, *arguments: object) -> None:
            opened.append((target, os.environ.get(STREAM_VARIABLE, "")))

        def isOpened(self) -> bool:
            return True

        def get(self, which: int) -> float:
            return 0.0

        def release(self) -> None: ...

    monkeypatch.setattr("edge_runtime.cameras.sources.opencv.capture.cv2.VideoCapture", FakeCapture)
    return opened
