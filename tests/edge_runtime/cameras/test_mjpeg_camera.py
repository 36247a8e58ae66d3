"""The reader of network cameras against a real server: newest image, damaged images counted, every refusal
explained.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.cameras.frame import Frame
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.cameras.sources.http_refusal import NotJpegStreamError
from edge_runtime.cameras.sources.mjpeg import MjpegCamera
from edge_runtime.cameras.sources.synthetic import draw_numbered_image, draw_wave_image, read_image_number
from edge_runtime.contract import InputSpec
from edge_runtime.errors import CameraError


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """Gives the address of a server that answers one connection with the given bytes and closes it."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield serve
    for thread in threads:
        thread.join(5)
    for listener in listeners:
        listener.close()


def take(camera: MjpegCamera, count: int) -> list[Frame]:
    frames: list[Frame] = []
    while len(frames) < count:
        frame = camera.read(5.0)
        assert frame is not None, "the camera fell silent"
        frames.append(frame)
    return frames


@pytest.mark.parametrize("announce_length", [True, False])
def test_images_come_in_order_whole_and_numbered(network_camera: Any, announce_length: bool) -> None:
    network_camera.announce_length = announce_length
    with MjpegCamera(network_camera.address) as camera:
        frames = take(camera, 8)
    assert all(read_image_number(frame.pixels) == frame.seq for frame in frames)
    assert [frame.seq for frame in frames] == sorted({frame.seq for frame in frames})
    assert frames[0].pixels.shape == (240, 320, 3)


def test_images_are_decoded_no_larger_than_needed(network_camera: Any) -> None:
    with MjpegCamera(network_camera.address, InputSpec(24, 32)) as camera:
        assert take(camera, 1)[0].pixels.shape == (30, 40, 3)


def test_equal_images_have_equal_fingerprints_and_others_do_not(network_camera: Any) -> None:
    same = network_camera.image(0)
    network_camera.image = lambda number: same if number < 4 else network_camera_image(number)
    background = draw_wave_image(240, 320)

    def network_camera_image(number: int) -> bytes:
        return cv2.imencode(".jpg", draw_numbered_image(background, number))[1].tobytes()

    with MjpegCamera(network_camera.address) as camera:
        frames = take(camera, 8)
    repeated = {frame.fingerprint for frame in frames if frame.seq < 4}
    later = [frame.fingerprint for frame in frames if frame.seq >= 4]
    assert len(repeated) == 1
    assert len(set(later)) == len(later) and not repeated & set(later)


def test_a_late_reader_gets_the_newest_image_and_the_skipped_ones_are_counted(network_camera: Any) -> None:
    with MjpegCamera(network_camera.address) as camera:
        first = take(camera, 1)[0]
        while network_camera.num_sent < 30:
            threading.Event().wait(0.01)
        late = take(camera, 1)[0]
    assert late.seq - first.seq > 10
    assert read_image_number(late.pixels) == late.seq
    assert camera.num_captured == late.seq + 1


def test_a_camera_that_sends_as_fast_as_it_can_still_gives_its_newest_image_again_and_again(
    network_camera: Any,
) -> None:
    images = [network_camera.image(number) for number in range(64)]
    network_camera.image = lambda number: images[number % 64]
    network_camera.fps = 1e9
    with MjpegCamera(network_camera.address, InputSpec(24, 32)) as camera:
        frames = []
        for _ in range(10):
            sent = network_camera.num_sent
            frames += take(camera, 1)
            assert network_camera.num_sent < sent + 64 * 64, "one read does not follow the flood without end"
    assert [frame.seq for frame in frames] == sorted({frame.seq for frame in frames})
    assert camera.num_captured == frames[-1].seq + 1 >= 10, "what came between them is counted"


def test_draining_ends_although_the_line_never_runs_dry(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    content = cv2.imencode(".jpg", draw_wave_image(48, 64))[1].tobytes()
    part = b"--a\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(content), content)

    class Connection:
        """Each receive takes 10 ms and brings one whole image; there always is another."""

        num_received = 0

        def recv(self, size: int) -> bytes:
            self.num_received += 1
            assert self.num_received < 100, "it is drained without end"
            clock.now_s += 0.01
            head = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=a\r\n\r\n"
            return head if self.num_received == 1 else part

        def sendall(self, request: bytes) -> None: ...
        def settimeout(self, timeout_s: float) -> None: ...
        def close(self) -> None: ...

    monkeypatch.setattr("edge_runtime.cameras.sources.mjpeg.monotonic_s", clock)
    monkeypatch.setattr("edge_runtime.cameras.sources.jpeg_stream.monotonic_s", clock)
    monkeypatch.setattr("edge_runtime.cameras.sources.mjpeg.connect", lambda *arguments: Connection())
    with MjpegCamera("http://camera/") as camera:
        frames = take(camera, 5)
    gaps_s = np.diff([frame.captured_s for frame in frames])
    assert ((gaps_s > 0.04) & (gaps_s < 0.08)).all(), "the newest of what came within the time for draining"
    assert camera.num_captured == frames[-1].seq + 1 >= 5 * 4


def test_damaged_images_are_counted_exactly_and_the_good_ones_all_arrive(network_camera: Any) -> None:
    whole = network_camera.image
    kinds = np.random.default_rng(7).choice(4, 300, p=[0.84, 0.10, 0.05, 0.01])
    noise = np.random.default_rng(8).bytes(4000)
    damage = {
        1: lambda content: content[: len(content) // 2],
        2: lambda content: noise,
        3: lambda content: b"<html>busy</html>",
    }
    network_camera.image = lambda number: damage.get(int(kinds[number % 300]), lambda content: content)(whole(number))
    network_camera.fps = 300
    with MjpegCamera(network_camera.address, InputSpec(24, 32)) as camera:
        while camera.num_captured + camera.num_bad < 300:
            assert camera.read(5.0) is not None
        total = camera.num_captured + camera.num_bad
    sent = kinds[np.arange(total) % 300]
    assert camera.num_bad == int((sent != 0).sum())
    assert camera.num_captured == int((sent == 0).sum())


def test_the_resolution_and_the_number_of_channels_may_change_in_the_stream(network_camera: Any) -> None:
    grey = cv2.cvtColor(draw_wave_image(120, 160), cv2.COLOR_BGR2GRAY)
    images = [draw_wave_image(240, 320), grey, draw_wave_image(480, 640)]
    network_camera.image = lambda number: cv2.imencode(".jpg", images[number // 4 % 3])[1].tobytes()
    with MjpegCamera(network_camera.address) as camera:
        frames = take(camera, 24)
    assert {frame.pixels.shape for frame in frames} == {(240, 320, 3), (120, 160, 3), (480, 640, 3)}
    assert all(
        (frame.pixels[..., 0] == frame.pixels[..., 2]).all() == (frame.pixels.shape[0] == 120) for frame in frames
    )
    with MjpegCamera(network_camera.address, InputSpec(24, 32)) as camera:
        reduced = {frame.pixels.shape for frame in take(camera, 24)}
    assert reduced == {(30, 40, 3), (60, 80, 3)}


def test_an_image_is_as_old_as_its_own_last_byte_not_as_the_next_one_s_first(
    monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    head = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=a\r\n\r\n"
    content = cv2.imencode(".jpg", draw_wave_image(48, 64))[1].tobytes()
    part = b"--a\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(content), content)
    chunks = [head + part[:99], part[99:], part[:99]]

    class Connection:
        """Each chunk takes an eighth of a second to come; behind the last there is nothing yet."""

        def recv(self, size: int) -> bytes:
            if not chunks:
                raise BlockingIOError
            clock.now_s += 0.125
            return chunks.pop(0)

        def sendall(self, request: bytes) -> None: ...
        def settimeout(self, timeout_s: float) -> None: ...
        def close(self) -> None: ...

    monkeypatch.setattr("edge_runtime.cameras.sources.mjpeg.monotonic_s", clock)
    monkeypatch.setattr("edge_runtime.cameras.sources.jpeg_stream.monotonic_s", clock)
    monkeypatch.setattr("edge_runtime.cameras.sources.mjpeg.connect", lambda *arguments: Connection())
    start_s = clock()
    with MjpegCamera("http://camera/") as camera:
        frame = camera.read(5.0)
    assert frame is not None and not chunks
    assert (frame.captured_s - start_s, clock() - start_s) == (0.25, 0.375)


def test_silence_gives_no_frame_and_then_an_error(network_camera: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.cameras.sources.mjpeg.TIMEOUT_S", 0.2)
    with MjpegCamera(network_camera.address) as camera:
        network_camera.fps = 20.0
        take(camera, 8)
        network_camera.stalled.set()
        with pytest.raises(CameraError, match=r"sent nothing for 0.\d+ s; check the camera"):
            for _ in range(100):
                camera.read(0.05)


def test_a_closed_stream_is_an_error(network_camera: Any) -> None:
    with MjpegCamera(network_camera.address) as camera:
        take(camera, 1)
        network_camera.stop()
        with pytest.raises(
            CameraError, match=r"(closed its stream; the camera may be restarting|broke the connection)"
        ):
            for _ in range(100):
                camera.read(0.05)


def test_the_password_is_sent_and_never_shown(network_camera: Any) -> None:
    address = network_camera.address.replace("//", "//me:p%40ss@")
    with MjpegCamera(address) as camera:
        assert camera.name == f"http://127.0.0.1:{network_camera.port}"
    assert b"Authorization: Basic bWU6cEBzcw==" in network_camera.requests[0]  # me:p@ss
    assert b"me:p" not in network_camera.requests[0]


def test_nobody_at_the_address_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CameraError, match=rf"http://127.0.0.1:{port} cannot be reached: Connection refused"):
        MjpegCamera(f"http://127.0.0.1:{port}/x")


def test_a_server_that_never_answers_is_left_after_the_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.cameras.sources.mjpeg.TIMEOUT_S", 0.1)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(CameraError, match=r"did not answer within 0.1 s"),
    ):
        MjpegCamera(f"http://127.0.0.1:{listener.getsockname()[1]}/")


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (b"", CameraError, "sent 0 bytes and no complete answer; the camera may be restarting"),
        (b"HTTP/1.1 404 Not Found", CameraError, "answered 404 Not Found, expected 200; check the path in the address"),
        (b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic", CameraError, "answered 401 No, expected 200; check user and"),
        (
            b"HTTP/1.1 401 No\r\nWWW-Authenticate: Digest r=x",
            NotJpegStreamError,
            "answered 401, it asks for a digest of the password",
        ),
        (b"HTTP/1.1 302 Found", CameraError, "answered 302 Found, expected 200; check the address"),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: rtsp://me:secret@10.0.0.9/x",
            CameraError,
            "redirects us to rtsp://10.0.0.9, expec",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4", NotJpegStreamError, "answered 200 with video/mp4"),
        (b" ", CameraError, "does not speak HTTP, it answered ' '"),
        (b"\r\n\r\n<html>", CameraError, "does not speak HTTP, it answered '<html>'; check address and port"),
        (
            b"RTSP/1.0 400 No",
            CameraError,
            "it answered 'RTSP/1.0 400 No'; the address of its stream begins with rtsp://",
        ),
        (b"HTTP/1.1 204 None", CameraError, "answered 204 None, expected 200; check the address"),
        (b"HTTP/1.1 407 Proxy", CameraError, "a proxy stands before the camera; use the camera's own address"),
        (b"HTTP/1.1 429 Wait", CameraError, "answered 429 Wait, expected 200; the camera is busy or has too many"),
        (b"HTTP/1.1 500 Oops", CameraError, "answered 500 Oops, expected 200; the camera has a fault; restart it"),
        (
            b"HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM",
            CameraError,
            "answered 401 and asks for a login by NTLM, expected Basic or Digest; change that in the camera's settings",
        ),
        (
            b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="a"\r\nWWW-Authenticate: Digest realm="b", nonce="c"',
            CameraError,
            "answered 401 No, expected 200; check user and",
        ),
        (
            b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="x, basic y", nonce="c"',
            NotJpegStreamError,
            "answered 401, it asks for a digest of the password",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\nContent-Encoding: gzip",
            CameraError,
            "answered with gzip around its images, expected them as they are; switch compression off",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 0",
            CameraError,
            "answered 200 with image/jpeg and nothing behind it, expected an image; the camera may be starting",
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd",
            CameraError,
            "redirects us to file://***, expected http",
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://[::1/",
            CameraError,
            "redirects us to an unusable address; check the camera's settings",
        ),
        (b"HTTP/1.1 302 Found\r\nLocation: http://h:99999/", CameraError, "redirects us to an unusable address"),
        (b"SSH-2.0-OpenSSH", CameraError, "does not speak HTTP, it answered 'SSH-2.0-OpenSSH'"),
        (
            b"HTTP/1.1 503 Busy",
            CameraError,
            "answered 503 Busy, expected 200; the camera is busy or has too many viewers",
        ),
        (b"HTTP/1.1 403 No", CameraError, "answered 403 No, expected 200; check user and password, and what"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8", CameraError, "answered with a page (text/html)"),
    ],
)
def test_other_answers_are_explained(
    answering: Callable[[bytes], str], answer: bytes, kind: type[CameraError], message: str
) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        MjpegCamera(answering(answer + b"\r\n\r\n" if answer else b""))


def test_a_camera_that_sends_us_elsewhere_is_followed_and_hears_the_password_on_its_own_host_only(
    network_camera: Any, answering: Callable[[bytes], str]
) -> None:
    for host, hears in (("127.0.0.1", True), ("localhost", False)):
        target = network_camera.address.replace("127.0.0.1", host)
        address = answering(b"HTTP/1.1 307 There\r\nLocation: " + target.encode() + b"\r\n\r\n")
        with MjpegCamera(address.replace("//", "//me:secret@")) as camera:
            assert camera.read(5.0) is not None
            assert camera.name == address.rstrip("/"), "what was given is what is shown"
        assert (b"Authorization: Basic" in network_camera.requests[-1]) == hears


def test_a_camera_that_sends_us_in_a_circle_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = []

        def run() -> None:
            for _ in range(5):
                connection, _ = listener.accept()
                with connection:
                    asked.append(connection.recv(65536))
                    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n")

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        with pytest.raises(CameraError, match=r"redirects us from address to address, 5 times; check the address"):
            MjpegCamera(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join(5)
    assert [request.split()[1] for request in asked] == [b"/", *[b"/again"] * 4]


JPEG = cv2.imencode(".jpg", draw_wave_image(48, 64))[1].tobytes()
MULTIPART = b"Content-Type: multipart/x-mixed-replace;boundary=a\r\n"


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x;note=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "begin",
    [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Wait\n\nHTTP/1.1 200 OK",
        b"\r\nHTTP/1.1 200 OK",
        b"http/1.0 200",
        b"ICY 200 OK",
    ],
    ids=["continue", "hints", "empty line", "small letters", "shoutcast"],
)
def test_an_answer_may_begin_in_other_ways(answering: Callable[[bytes], str], begin: bytes) -> None:
    body = b"--a\r\n\r\n" + JPEG + b"\r\n--a\r\n"
    with MjpegCamera(answering(begin + b"\r\n" + MULTIPART + b"\r\n" + body)) as camera:
        assert take(camera, 1)[0].pixels.shape == (48, 64, 3)


def test_a_camera_that_only_announces_answers_is_left(answering: Callable[[bytes], str]) -> None:
    with pytest.raises(CameraError, match=r"answered 100 Continue, expected 200"):
        MjpegCamera(answering(b"HTTP/1.1 100 Continue\r\n\r\n" * 20))


def test_a_port_that_speaks_tls_is_named_as_such(answering: Callable[[bytes], str]) -> None:
    with pytest.raises(
        CameraError, match=r"sent 7 bytes and no complete answer; it speaks TLS, so its address begins wit"
    ):
        MjpegCamera(answering(b"\x15\x03\x01\x00\x02\x02\x46"))


def test_blanks_in_a_path_do_not_end_the_request(network_camera: Any) -> None:
    with MjpegCamera(f"http://127.0.0.1:{network_camera.port}/video feed/\u00e4?a=b c&d=%20") as camera:
        take(camera, 1)
    assert network_camera.requests[0].startswith(b"GET /video%20feed/%C3%A4?a=b%20c&d=%20 HTTP/1.0\r\n")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (MULTIPART, b"--a\r\nContent-Type: image/jpeg\r\n\r\n" + JPEG + b"\r\n--a\r\n"),
        (MULTIPART + b"Transfer-Encoding: chunked\r\n", chunked(b"--a\r\n\r\n" + JPEG + b"\r\n--a--", 100)),
        (MULTIPART + b"Transfer-Encoding: chunked\r\n", chunked(b"\r\nhello\r\n--a\r\n\r\n" + JPEG + b"\r\n--a--", 7)),
        (b"Content-Type: multipart/x-mixed-replace\r\n", b"--x\r\n\r\n" + JPEG + b"\r\n--x\r\n"),
        (b"Content-Type: application/octet-stream\r\n", b"--x\r\n\r\n" + JPEG),
        (b"", JPEG + b"junk" + JPEG),
        (b"Content-Type: text/html\r\n", JPEG + JPEG),
        (b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(JPEG), JPEG),
    ],
    ids=["multipart", "chunked", "late boundary", "no boundary", "other type", "no type", "html", "json"],
)
def test_an_answer_in_which_images_come_is_read_by_one_connection(
    answering: Callable[[bytes], str], headers: bytes, body: bytes
) -> None:
    with MjpegCamera(answering(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n" + body)) as camera:
        assert take(camera, 1)[0].pixels.shape == (48, 64, 3)
    assert camera.num_bad == 0


def test_headers_may_end_in_bare_line_feeds(answering: Callable[[bytes], str]) -> None:
    with MjpegCamera(answering(b"HTTP/1.0 200 OK\n" + MULTIPART.replace(b"\r", b"") + b"\n--a\n\n" + JPEG)) as camera:
        assert take(camera, 1)[0].pixels.shape == (48, 64, 3)


def test_a_camera_that_never_sends_an_end_marker_is_read(network_camera: Any) -> None:
    whole = network_camera.image
    network_camera.image = lambda number: whole(number)[:-2]
    with MjpegCamera(network_camera.address) as camera:
        assert all(read_image_number(frame.pixels) == frame.seq for frame in take(camera, 5))


def test_chunks_that_are_none_are_told(answering: Callable[[bytes], str]) -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + MULTIPART + b"Transfer-Encoding: chunked\r\n\r\n--a\r\n"
    with pytest.raises(CameraError, match=r"announces chunks but sends b'--a"):
        MjpegCamera(answering(answer))


def test_images_whose_scan_data_was_cut_are_bad_although_their_end_marker_came(network_camera: Any) -> None:
    whole = network_camera.image
    chance = np.random.default_rng(3)
    cuts = chance.uniform(0.3, 0.95, 64)
    network_camera.image = lambda number: (
        whole(number) if number % 2 else whole(number)[: int(cuts[number % 64] * len(whole(number)))] + b"\xff\xd9"
    )
    with MjpegCamera(network_camera.address) as camera:
        frames = take(camera, 10)
    assert all(read_image_number(frame.pixels) % 2 for frame in frames)
    assert camera.num_bad >= 9


class SnapshotServer:
    """Answers every request with one image and hangs up, or leaves the connection open."""

    def __init__(self, image: Callable[[int], bytes], headers: Callable[[bytes], bytes], hangs_up: bool) -> None:
        self.num_answers = 0
        self._image, self._headers, self._hangs_up = image, headers, hangs_up
        self._open: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}/snapshot.jpg"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self._open.append(connection)
                connection.recv(65536)
                content = self._image(self.num_answers)
                self.num_answers += 1
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + self._headers(content) + b"\r\n" + content)
                if self._hangs_up:
                    connection.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which may be about to answer
        self._thread.join(5)
        self.listener.close()
        for connection in self._open:
            connection.close()


@pytest.mark.parametrize(
    ("kind", "announced", "hangs_up", "whole"),
    [
        (b"image/jpeg", True, True, True),
        (b"image/jpeg", True, False, True),
        (b"image/jpeg", False, True, True),
        (b"application/octet-stream", False, True, True),
        (b"image/jpeg", False, True, False),
    ],
    ids=["length", "stays open", "no length", "other type", "no end marker"],
)
def test_an_address_that_gives_one_image_is_asked_again_and_an_unchanged_one_is_not_frozen(
    kind: bytes, announced: bool, hangs_up: bool, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.cameras.sources.mjpeg.SNAPSHOT_S", 0.01)
    content = JPEG if whole else JPEG[:-2]

    def headers(content: bytes) -> bytes:
        length = b"Content-Length: %d\r\n" % len(content) if announced else b""
        return b"Content-Type: " + kind + b"\r\n" + length

    server = SnapshotServer(lambda number: content, headers, hangs_up)
    with contextlib.closing(server), MjpegCamera(server.address) as camera:
        frames = take(camera, 5)
    assert [frame.seq for frame in frames] == list(range(5)) and camera.num_bad == 0
    assert len({frame.fingerprint for frame in frames}) == 5
    assert server.num_answers >= 5


def test_a_snapshot_is_asked_for_at_the_expected_rate(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    asked_s: list[float] = []

    class Connection:
        """Answers at once; whoever waits lets time pass."""

        def __init__(self) -> None:
            asked_s.append(clock.now_s)
            self.rest = [b"HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\n", JPEG, b""]

        def recv(self, size: int) -> bytes:
            return self.rest.pop(0)

        def sendall(self, request: bytes) -> None: ...
        def settimeout(self, timeout_s: float) -> None: ...
        def close(self) -> None: ...

    def sleep(seconds: float) -> None:
        clock.now_s += seconds

    monkeypatch.setattr("edge_runtime.cameras.sources.mjpeg.time.sleep", sleep)
    monkeypatch.setattr("edge_runtime.cameras.sources.mjpeg.monotonic_s", clock)
    monkeypatch.setattr("edge_runtime.cameras.sources.jpeg_stream.monotonic_s", clock)
    monkeypatch.setattr("edge_runtime.cameras.sources.mjpeg.connect", lambda *arguments: Connection())
    with MjpegCamera("http://camera/now.jpg", options=CameraOptions(expect_fps=0.1)) as camera:
        for _ in range(100):
            camera.read(0.5)
    assert np.diff(asked_s) == pytest.approx(10.0, abs=0.2)


def test_a_stream_that_ends_after_several_images_is_no_snapshot(answering: Callable[[bytes], str]) -> None:
    body = b"".join(b"--a\r\n\r\n" + JPEG + b"\r\n" for _ in range(3))
    with MjpegCamera(answering(b"HTTP/1.0 200 OK\r\n" + MULTIPART + b"\r\n" + body)) as camera:
        take(camera, 1)
        with pytest.raises(CameraError, match=r"closed its stream; the camera may be restarting"):
            for _ in range(50):
                camera.read(0.05)


class Line:
    """A connection of simulated time: ``events`` are (seconds that pass, bytes that come)."""

    def __init__(self, clock: Any, events: list[tuple[float, bytes]]) -> None:
        self._clock, self._events, self._timeout_s = clock, events, 0.0

    def settimeout(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def recv(self, size: int) -> bytes:
        if not self._events:
            self._clock.now_s += max(self._timeout_s, 0.001)
            raise BlockingIOError
        seconds, content = self._events[0]
        if 0.25 > seconds > self._timeout_s:
            self._clock.now_s += self._timeout_s
            self._events[0] = seconds - self._timeout_s, content
            raise BlockingIOError
        del self._events[0]
        self._clock.now_s += seconds
        return content

    def sendall(self, request: bytes) -> None: ...
    def close(self) -> None: ...


def numbered(number: int) -> bytes:
    return cv2.imencode(".jpg", draw_numbered_image(draw_wave_image(48, 192), number))[1].tobytes()


def read_line(monkeypatch: pytest.MonkeyPatch, clock: Any, events: list[tuple[float, bytes]]) -> list[int]:
    """The numbers of the images that are taken from such a line."""
    head = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=a\r\n\r\n"
    line = Line(clock, [(0.0, head), *events])
    monkeypatch.setattr("edge_runtime.cameras.sources.mjpeg.monotonic_s", clock)
    monkeypatch.setattr("edge_runtime.cameras.sources.jpeg_stream.monotonic_s", clock)
    monkeypatch.setattr("edge_runtime.cameras.sources.mjpeg.connect", lambda *arguments: line)
    with MjpegCamera("http://camera/") as camera:
        frames = [camera.read(0.01) for _ in range(400)]
    return [read_image_number(frame.pixels) for frame in frames if frame is not None]


def test_what_waited_while_the_process_was_stopped_is_not_taken_for_new(
    monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    parts = [b"--a\r\n\r\n" + numbered(number) + b"\r\n" for number in range(60)]
    steady = [(0.033, part) for part in parts[:10]]
    # Stopped for 2 s: twenty images wait, and half of another; the rest of that one comes 33 ms after the last of them.
    waiting = b"".join(parts[10:30]) + parts[30][:300]
    pieces = [waiting[start : start + 1000] for start in range(0, len(waiting), 1000)]
    after = [(0.033, parts[30][300:])] + [(0.033, part) for part in parts[31:40]]
    taken = read_line(monkeypatch, clock, [*steady, (2.0, pieces[0]), *((0.0, piece) for piece in pieces[1:]), *after])
    assert taken == [*range(10), *range(31, 40)]


def test_a_line_that_never_runs_dry_is_believed_again_when_more_came_than_can_wait(
    monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    monkeypatch.setattr("edge_runtime.cameras.sources.backlog.BUFFERED_BYTES", 20_000)
    parts = [b"--a\r\n\r\n" + numbered(number) + b"\r\n" for number in range(60)]
    flood = [(0.001, part) for part in parts[10:]]
    taken = read_line(monkeypatch, clock, [*((0.033, part) for part in parts[:10]), (2.0, parts[9]), *flood])
    waited = next(number for number in taken if number >= 10)
    size = len(parts[20])
    assert 20_000 / size <= waited - 9 <= 20_000 / size + 4
    assert len(taken) > 12
