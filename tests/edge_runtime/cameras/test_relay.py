"""What FFmpeg reads through the relay is what the camera sent, and a camera redirects it only to itself."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator

import pytest

from edge_runtime.cameras.address import parse_camera
from edge_runtime.cameras.redirects import MAX_BYTES, ForbiddenRedirectError, RedirectRewriter
from edge_runtime.cameras.sources.opencv.ffmpeg_options import STREAM_VARIABLE
from edge_runtime.cameras.sources.opencv.relay import MAX_REDIRECTS, _pass_on
from edge_runtime.cameras.sources.opencv.stream import StreamCamera
from edge_runtime.errors import CameraError
from tests.tools.rtsp.pictures import draw_jpeg
from tests.tools.rtsp.server import Answer, RtspCamera

WIDTH, HEIGHT = 64, 48


def moved(where: str, method: str = "DESCRIBE", status: str = "302 Moved") -> Answer:
    answer = f"RTSP/1.0 {status}\r\nLocation: {where}\r\n\r\n"
    return lambda asked, address: answer if asked == method and address.endswith("/live") else None


def usual(method: str, address: str) -> None:
    """The answers that cameras give as a rule."""


Start = Callable[..., RtspCamera]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts cameras, which are closed after the test."""
    started: list[RtspCamera] = []

    def begin(answer: Answer = usual, host: str = "127.0.0.1") -> RtspCamera:
        started.append(RtspCamera(draw_jpeg(WIDTH, HEIGHT, 4), 50.0, host=host))
        started[-1].answer = answer
        return started[-1]

    yield begin
    for each in started:
        each.close()


def test_the_stream_arrives_and_the_camera_hears_user_and_path(start: Start) -> None:
    server = start()
    with StreamCamera(parse_camera(f"rtsp://me:secret@{server.place}/live?x=1")) as camera:
        frames = [camera.read(10.0) for _ in range(3)]
    assert [frame.pixels.shape for frame in frames if frame is not None] == [(HEIGHT, WIDTH, 3)] * 3
    assert [line.split()[0] for line in server.requests[:4]] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    assert re.fullmatch(r"DESCRIBE rtsp://127.0.0.1:\d+/live\?x=1 RTSP/1.0", server.requests[1])


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE"])
@pytest.mark.parametrize("other_port", [False, True])
def test_a_camera_may_lead_to_another_path_or_port_of_its_own(method: str, other_port: bool, start: Start) -> None:
    first = start()
    last = start() if other_port else first
    first.answer = moved(f"rtsp://{last.place}/moved", method)
    with StreamCamera(parse_camera(f"rtsp://{first.place}/live")) as camera:
        assert camera.read(10.0) is not None
    asked = next(each for each in last.requests if "PLAY" in each)
    assert re.fullmatch(r"PLAY rtsp://127.0.0.1:\d+/moved/? RTSP/1.0", asked)


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("rtsp://127.0.0.2:OTHER/live", r"rtsp://127.0.0.2:\d+"),
        ("rtsps://127.0.0.1:OTHER/live", r"rtsps://127.0.0.1:\d+"),
        ("rtsp://[::1/", "no address"),
        ("secret:secret", "no address"),
        ("rtsp://me:secret@localhost:OTHER/live", r"rtsp://localhost:\d+"),
    ],
)
def test_no_other_host_is_asked_and_it_is_said(where: str, shown: str, start: Start) -> None:
    other = start(host="127.0.0.2")
    server = start(moved(where.replace("OTHER", other.place.partition(":")[2])))
    with pytest.raises(
        CameraError,
        match=rf"^rtsp://{server.place} redirects us to {shown}, expected rtsp and the same host; give that address",
    ):
        StreamCamera(parse_camera(f"rtsp://{server.place}/live"))
    assert other.num_connections == 0


def test_a_camera_that_leads_in_circles_is_left(start: Start) -> None:
    server = start()
    server.answer = moved(f"rtsp://{server.place}/live")
    with pytest.raises(
        CameraError, match=rf"redirects us again and again, {MAX_REDIRECTS} times, expected a stream; check its"
    ):
        StreamCamera(parse_camera(f"rtsp://{server.place}/live"))
    assert server.num_connections == MAX_REDIRECTS + 1


def test_who_states_another_transport_goes_without_a_relay(
    opened_captures: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for stated in ("rtsp_transport;udp", "timeout;5"):
        monkeypatch.setenv(STREAM_VARIABLE, stated)
        StreamCamera(parse_camera("rtsp://cam.local/live")).close()
    direct, relayed = (target for target, _ in opened_captures)
    assert direct == "rtsp://cam.local/live" and relayed.startswith("rtsp://127.0.0.1:")


ANSWER = b"RTSP/1.0 302 x\r\nloc\rATION:  rtsp://far/a \r\nCSeq: 2\r\n\r\nbody Location: here\r\nLo"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 200])
def test_the_line_is_turned_wherever_the_network_cuts_it(size: int) -> None:
    found: list[bytes] = []

    def turn(where: bytes) -> bytes:
        found.append(where)
        return b"rtsp://near/a"

    rewriter = RedirectRewriter(turn, is_rtsp=True)
    passed = b"".join(rewriter.pass_on(ANSWER[place : place + size]) for place in range(0, len(ANSWER), size))
    assert found == [b"rtsp://far/a"]
    assert (
        passed
        == b"RTSP/1.0 302 x\r\nLocation: rtsp://near/a\r\nCSeq: 2\r\n\r\nbody Location: here\r\n"  # what may become one stays
    )
    assert passed + rewriter.pass_on(b"ng") == passed + b"Long"


@pytest.mark.parametrize(
    "content",
    [
        b"RTSP/1.0 302 x\r\n$\0\0\4abcdLocation: rtsp://far/\r\n",
        b"$\0\0\4abcd",
        b"a\nLocation:" + b"x" * MAX_BYTES,
        b"a\nL" + b"\r" * MAX_BYTES,
    ],
)
@pytest.mark.parametrize("size", [1, 100_000])
def test_what_hides_a_line_or_never_ends_is_not_passed_on(content: bytes, size: int) -> None:
    rewriter = RedirectRewriter(lambda where: where, is_rtsp=True)
    with pytest.raises(ForbiddenRedirectError):
        for place in range(0, len(content), size):
            rewriter.pass_on(content[place : place + size])


def test_a_dollar_in_a_body_by_http_is_nothing_special() -> None:
    assert (
        RedirectRewriter(lambda where: where, is_rtsp=False).pass_on(b"HTTP/1.0 200 OK\n\n\n$x")
        == b"HTTP/1.0 200 OK\n\n\n$x"
    )


def test_the_line_is_dry_once_all_that_was_sent_has_been_passed_on() -> None:
    sent = b"line\r\n" * 5_000
    (far, camera), (near, reader) = socket.socketpair(), socket.socketpair()
    passed = []

    def note_dry() -> None:
        passed.append(len(reader.recv(len(sent), socket.MSG_PEEK | socket.MSG_WAITALL)))
        camera.close()

    with far, near, reader:
        camera.sendall(sent)
        _pass_on(near, far, (b"a", b"b"), RedirectRewriter(lambda where: where, is_rtsp=True), note_dry)
    assert passed == [len(sent)]
