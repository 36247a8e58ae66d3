"""Attack 10: a camera, or the maker of a video file, has the device ask addresses in its own network. Stopped by
refusing lists of addresses before FFmpeg sees them, by a proxy that is not there for every other host, and by a relay
that RTSP passes through.
"""

from __future__ import annotations

import http.server
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.cameras.address import parse_camera
from edge_runtime.cameras.sources.opencv.playlist import name_playlist, only_host_of
from edge_runtime.cameras.sources.opencv.stream import StreamCamera
from edge_runtime.cameras.sources.opening import open_source
from edge_runtime.errors import CameraError, DataError
from tests.tools.rtsp.pictures import draw_jpeg
from tests.tools.rtsp.server import RtspCamera

LISTS = {
    "an HLS playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://OTHER/x.ts\n#EXT-X-ENDLIST\n",
    "a list of videos": b"ffconcat version 1.0\nfile http://OTHER/x.mp4\n",
    "a session description": b"v=0\r\no=- 0 0 IN IP4 OTHER\r\ns=x\r\nc=IN IP4 OTHER\r\nt=0 0\r\nm=video 9 RTP/AVP 26\r\n",
    "a DASH manifest": b'<?xml version="1.0"?>\n<MPD type="static"><BaseURL>http://OTHER/x.mp4</BaseURL></MPD>',
    "a playlist": b"[playlist]\nFile1=http://OTHER/x.mp4\n",
}


class Other:
    """A host that nobody should ask; it counts who does."""

    def __init__(self) -> None:
        self.num_asked = 0
        self._listener = socket.create_server(("127.0.0.2", 0))
        self.address = f"127.0.0.2:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.num_asked += 1
            connection.close()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def other() -> Iterator[Other]:
    found = Other()
    yield found
    found.close()


@pytest.fixture
def camera() -> Iterator[Callable[[Callable[[http.server.BaseHTTPRequestHandler], None]], str]]:
    """Serves each request as a function says; the address."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def serve(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *arguments: object) -> None: ...

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}/live"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def send(handler: http.server.BaseHTTPRequestHandler, content: bytes, kind: str = "application/octet-stream") -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


@pytest.mark.parametrize("what", LISTS)
def test_a_camera_that_answers_with_a_list_is_refused_in_words(
    what: str, other: Other, camera: Callable[..., str]
) -> None:
    content = LISTS[what].replace(b"OTHER", other.address.encode())
    address = camera(lambda handler: send(handler, content))
    with pytest.raises(
        CameraError, match=rf"answered with {what}, which makes this device ask other addresses; expected"
    ):
        open_source(parse_camera(address))
    assert other.num_asked == 0


@pytest.mark.parametrize("what", LISTS)
def test_a_file_that_is_a_list_is_refused_whatever_it_is_called(what: str, other: Other, tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes(b"\xef\xbb\xbf\n" + LISTS[what].replace(b"OTHER", other.address.encode()))
    with pytest.raises(DataError, match=rf"video.mp4 is {what}, expected a video itself; name one that it lists"):
        open_source(parse_camera(str(tmp_path / "video.mp4")))
    assert other.num_asked == 0


def test_a_content_type_is_enough() -> None:
    assert name_playlist(b"anything", "application/vnd.apple.mpegurl") == "a playlist"
    assert name_playlist(b"anything", "video/mp4") == ""
    assert name_playlist(b'<?xml version="1.0"?><html>', "") == ""


@pytest.mark.parametrize("is_redirection", [False, True])
def test_what_comes_only_when_ffmpeg_asks_leads_nowhere_either(
    is_redirection: bool, other: Other, camera: Callable[..., str]
) -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        if not is_redirection:
            send(handler, LISTS["an HLS playlist"].replace(b"OTHER", other.address.encode()))
            return
        handler.send_response(302)
        handler.send_header("Location", f"http://{other.address}/x.mp4")
        handler.end_headers()

    with pytest.raises(CameraError):
        StreamCamera(parse_camera(camera(answer)))
    assert other.num_asked == 0
    assert "http_proxy" not in os.environ


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE"])
@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Moved", "305 Use Proxy"])
def test_a_camera_by_rtsp_leads_nowhere_either(method: str, status: str, other: Other) -> None:
    answer = f"RTSP/1.0 {status}\r\nLocation: rtsp://{other.address}/live\r\n\r\n"
    with RtspCamera(draw_jpeg(64, 48, 4)) as camera:
        camera.answer = lambda asked, address: answer if asked == method else None
        with pytest.raises(
            CameraError, match=rf"{camera.place} redirects us to rtsp://{other.address}, expected rtsp and the"
        ):
            open_source(parse_camera(f"rtsp://{camera.place}/live"))
    assert other.num_asked == 0


def test_a_video_from_the_camera_itself_is_played(camera: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "video.mkv"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for number in range(5):
        writer.write(np.full((48, 64, 3), 40 * number, np.uint8))
    writer.release()

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        if handler.path == "/live":  # the same host may send us on
            handler.send_response(302)
            handler.send_header("Location", "/moved")
            handler.end_headers()
        else:
            send(handler, path.read_bytes(), "video/x-matroska")

    with open_source(parse_camera(camera(answer))) as source:
        assert isinstance(source, StreamCamera)
        frames = [source.read() for _ in range(3)]
    assert [frame.pixels.shape for frame in frames if frame is not None] == [(48, 64, 3)] * 3
    with open_source(parse_camera(str(path))) as source:
        assert sum(source.read() is not None for _ in range(5)) == 5


def test_a_name_is_kept_as_it_is_written_and_a_proxy_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setenv("no_proxy", "mine")
    with only_host_of("http://cam:secret@Cam.Local:80/live"):
        assert (os.environ["http_proxy"], os.environ["no_proxy"]) == ("http://127.0.0.1:9", "Cam.Local")
    assert "http_proxy" not in os.environ and os.environ["no_proxy"] == "mine"
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    with only_host_of("http://cam/live"):
        assert (os.environ["http_proxy"], os.environ["no_proxy"]) == ("http://proxy:3128", "mine")
