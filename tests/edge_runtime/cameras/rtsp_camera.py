"""A camera that speaks RTSP and sends JPEG (RFC 2435) through the same connection, and does what a test asks of it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable

import cv2

from edge_runtime.cameras.sources.synthetic import draw_wave_image

HEIGHT, WIDTH = 48, 64
JPEG = cv2.imencode(
    ".jpg",
    draw_wave_image(HEIGHT, WIDTH),
    [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420],
)[1].tobytes()
SDP = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track"
# An answer to a method and its address, without its CSeq; None for what a camera says.
Answer = Callable[[str, str], "bytes | None"]


class RtspCamera:
    """Listens on ``host`` until `close`. ``asked`` has the first lines of all requests, ``num_connections`` counts."""

    def __init__(self, answer: Answer = lambda method, address: None, host: str = "127.0.0.1") -> None:
        self.asked: list[str] = []
        self.num_connections = 0
        self._answer, self._listener = answer, socket.create_server((host, 0))
        self.place = f"{host}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.num_connections += 1
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as requests:
            while line := requests.readline().decode():
                self.asked.append(line.strip())
                number = b"CSeq: 1"
                while (header := requests.readline().strip()) and header:
                    number = header if header.lower().startswith(b"cseq") else number
                method, address, _ = line.split()
                answer = self._answer(method, address)
                if answer is None:
                    answer = _usual(method)
                connection.sendall(answer.replace(b"\r\n", b"\r\n" + number + b"\r\n", 1))
                if method == "PLAY":
                    _play(connection)


def _usual(method: str) -> bytes:
    if method == "DESCRIBE":
        return b"RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(SDP) + SDP
    if method == "SETUP":
        return b"RTSP/1.0 200 OK\r\nSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
    return b"RTSP/1.0 200 OK\r\nSession: 1\r\nPublic: DESCRIBE, SETUP, PLAY\r\n\r\n"


def _play(connection: socket.socket) -> None:
    for number in range(10_000):
        packet = _packet(number)
        connection.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)
        time.sleep(0.02)


def _packet(number: int) -> bytes:
    """Frame ``number`` as one RTP packet."""
    tables = b"".join(piece[3:67] for piece in JPEG.split(b"\xff\xdb")[1:])
    scan = JPEG.index(b"\xff\xda")
    pixels = JPEG[scan + 2 + int.from_bytes(JPEG[scan + 2 : scan + 4], "big") : -2]
    header = struct.pack(">BBHII", 0x80, 0x80 | 26, number & 0xFFFF, 1800 * number, 1)
    jpeg = struct.pack(">IBBBB", 0, 1, 255, WIDTH // 8, HEIGHT // 8) + struct.pack(">BBH", 0, 0, len(tables))
    return header + jpeg + tables + pixels
