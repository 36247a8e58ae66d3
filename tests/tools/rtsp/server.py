"""A camera that speaks RTSP over TCP (RFC 2326, interleaved) and stamps its frames with its own clock.

It sends to one viewer at a time and never waits for a slow one longer than its connection makes it: an image that is
due meanwhile is left out, as cameras do. Knobs may change while it serves.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

CLOCK_HZ = 90_000
# A whole answer to a method and its address, but for its CSeq; None for the usual one.
Answer = Callable[[str, str], "str | None"]


class RtspCamera:
    """``payloads`` gives the RTP payloads of image n; ``stamp`` the stream's time in seconds for image n that is sent at
    a time of the monotonic clock. ``answer`` may give other answers than the usual ones. ``sent_s`` says when each image
    was sent, ``requests`` has the first lines of all requests.
    """

    def __init__(
        self,
        payloads: Callable[[int], Iterator[bytes]],
        fps: float = 30.0,
        media: str = "RTP/AVP 26",
        format_lines: str = "",
        stamp: Callable[[int, float], float] = lambda number, now_s: now_s,
        host: str = "127.0.0.1",
    ) -> None:
        self.payloads, self.fps, self.stamp = payloads, fps, stamp
        self.sent_s: dict[int, float] = {}
        self.requests: list[str] = []
        self.num_connections = 0
        self.answer: Answer = lambda method, address: None
        self._description = (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
            f"m=video 0 {media}\r\n{format_lines}a=control:track\r\n"
        )
        self._kind = int(media.rpartition(" ")[2])
        self._stopping = threading.Event()
        self._listener = socket.create_server((host, 0))
        self.place = f"{host}:{self._listener.getsockname()[1]}"
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        return f"rtsp://{self.place}/camera"

    def __enter__(self) -> RtspCamera:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._stopping.set()
        for each in [self._listener, *self._connections]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.num_connections += 1
                self._connections.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        writing = threading.Lock()
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as reader:
            while not self._stopping.is_set():
                request = _read_request(reader)
                if not request:
                    return
                self.requests.append(request.partition("\r\n")[0])
                method, address = request.split(" ")[:2]
                sequence = re.search(r"(?i)cseq: *(\d+)", request)
                answer = self.answer(method, address) or self._answer(method)
                numbered = answer.replace("\r\n", f"\r\nCSeq: {sequence[1] if sequence else 0}\r\n", 1)
                with writing:
                    connection.sendall(numbered.encode())
                if method == "PLAY":
                    thread = threading.Thread(target=self._play, args=(connection, writing), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _answer(self, method: str) -> str:
        body, about = "", ""
        if method == "OPTIONS":
            about = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"
        elif method == "DESCRIBE":
            body = self._description
            about = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        elif method == "SETUP":
            about = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        return f"RTSP/1.0 200 OK\r\nSession: 1\r\n{about}\r\n{body}"

    def _play(self, connection: socket.socket, writing: threading.Lock) -> None:
        begun_s, number, sequence = time.monotonic(), 0, 0
        with contextlib.suppress(OSError):
            while not self._stopping.wait(max(0.0, begun_s + number / self.fps - time.monotonic())):
                now_s = time.monotonic()
                # Images that were due while the connection was full are left out.
                number = max(number, int((now_s - begun_s) * self.fps))
                self.sent_s[number] = now_s
                sequence = self._send(connection, writing, number, now_s, sequence)
                number += 1

    def _send(self, connection: socket.socket, writing: threading.Lock, number: int, now_s: float, first: int) -> int:
        payloads = list(self.payloads(number))
        stamp = round(self.stamp(number, now_s) * CLOCK_HZ) % 2**32
        for place, payload in enumerate(payloads):
            is_last = place == len(payloads) - 1
            head = struct.pack("!BBHII", 0x80, is_last << 7 | self._kind, (first + place) % 2**16, stamp, 1)
            packet = head + payload
            with writing:
                connection.sendall(struct.pack("!cBH", b"$", 0, len(packet)) + packet)
        return first + len(payloads)


def _read_request(reader: socket.SocketIO) -> str:  # type: ignore[type-arg]
    """The next request with its headers; what the viewer sends between requests (RTCP) is passed over."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        byte = reader.read(1)
        if not byte:
            return ""
        if not request and byte == b"$":
            _, length = struct.unpack("!BH", reader.read(3))
            reader.read(length)
            continue
        request += byte
    return request.decode("latin-1")
