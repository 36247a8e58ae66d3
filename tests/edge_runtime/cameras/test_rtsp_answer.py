"""What an RTSP server says after FFmpeg has failed on it is told with its remedy, and no password is sent for it."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from edge_runtime.cameras.address import parse_camera
from edge_runtime.cameras.sources.opencv.ffmpeg_options import STREAM_VARIABLE
from edge_runtime.cameras.sources.opencv.rtsp_answer import explain_rtsp
from edge_runtime.cameras.sources.opencv.stream import StreamCamera


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"RTSP/1.0 404 Not Found", "answered 404 Not Found, expected 200; check the path in the address"),
        (
            b"RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic",
            "answered 401 Unauthorized, expected 200; check user and",
        ),
        (
            b"RTSP/1.0 401 No\r\nWWW-Authenticate: Digest algorithm=SHA-256",
            "answered 401 No: it asks for a digest by SHA",
        ),
        (
            b"RTSP/1.0 453 Not Enough Bandwidth",
            "answered 453 Not Enough Bandwidth, expected 200; the camera has no band",
        ),
        (b"RTSP/1.0 200 OK", "answers, but no image came within 15 s; check the camera's video format"),
        (b"HTTP/1.0 200 OK", "does not speak RTSP, it answered 'HTTP/1.0 200 OK"),
    ],
)
def test_the_answer_is_said(answer: bytes, message: str) -> None:
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(answer + b"\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        assert explain_rtsp(f"rtsp://me:secret@127.0.0.1:{port}/cam", 15).startswith(message)
        thread.join(5)
    assert asked[0].startswith(f"DESCRIBE rtsp://127.0.0.1:{port}/cam RTSP/1.0".encode()) and b"secret" not in asked[0]


def test_nobody_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert explain_rtsp(f"rtsp://127.0.0.1:{port}/", 15).startswith("cannot be reached: Connection refused; check")


@pytest.mark.parametrize(
    ("stated", "first"),
    [
        (None, "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay|format_whitelist;"),
        ("", "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay|format_whitelist;"),
        ("rtsp_transport;udp", "rtsp_transport;udp|fflags;nobuffer|flags;low_delay|format_whitelist;"),
        ("stimeout;5|fflags;genpts", "stimeout;5|fflags;genpts|rtsp_transport;tcp|flags;low_delay|format_whitelist;"),
    ],
)
def test_the_users_options_for_ffmpeg_hold_and_ours_where_they_say_nothing(
    stated: str | None, first: str, opened_captures: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(STREAM_VARIABLE, raising=False)
    if stated is not None:
        monkeypatch.setenv(STREAM_VARIABLE, stated)
    StreamCamera(parse_camera("rtsp://127.0.0.1/cam")).close()
    assert [options.startswith(first) for _, options in opened_captures] == [True]
    assert os.environ.get(STREAM_VARIABLE) == stated
