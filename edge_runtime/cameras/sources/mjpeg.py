"""MJPEG over HTTP, read by a few lines of our own: the newest image, decoded no larger than the model needs.

It speaks plain HTTP/1.0, so no server may answer in chunks. What it does not speak (digest passwords, redirections,
streams that are not multipart) it leaves to FFmpeg.
"""

from __future__ import annotations

import base64
import contextlib
import socket
from urllib.parse import unquote, urlsplit

from edge_runtime.cameras.sources.jpeg_stream import JpegStream
from edge_runtime.cameras.sources.multipart import MAX_HEADER_BYTES, MultipartReader
from edge_runtime.contract import InputSpec
from edge_runtime.errors import CameraError
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.redact import redact

TIMEOUT_S = 4.0
CHUNK_BYTES = 256 * 1024


class NotMultipartError(CameraError):
    """The server answers, but not with a multipart stream that this reader understands."""


class MjpegCamera(JpegStream):
    """One HTTP connection to a camera that sends a multipart stream."""

    def __init__(self, address: str, shrink_for: InputSpec | None = None) -> None:
        name = redact(address)
        self._socket = _connect(address, name)
        try:
            boundary, rest = _request(self._socket, address, name)
        except BaseException:  # whatever it was, nobody else can close the socket of an object that never was
            self._socket.close()
            raise
        super().__init__(name, MultipartReader(boundary), shrink_for)
        self._feed(rest)
        self._heard_s = monotonic_s()

    def close(self) -> None:
        super().close()
        self._socket.close()

    def _receive(self, timeout_s: float) -> bool:
        self._socket.settimeout(min(timeout_s, TIMEOUT_S))
        try:
            content = self._socket.recv(CHUNK_BYTES)
        except (TimeoutError, BlockingIOError):
            if monotonic_s() - self._heard_s > TIMEOUT_S:
                raise CameraError(f"{self.name} sent nothing for {TIMEOUT_S:g} s; check the camera.") from None
            return False
        except OSError as error:
            if type(error).__name__ == "SSLWantReadError":  # half a TLS record; ssl is imported only for https
                return False
            raise CameraError(f"{self.name} broke the connection: {error.strerror or error}.") from error
        if not content:
            raise CameraError(f"{self.name} closed its stream; the camera may be restarting.")
        self._heard_s = monotonic_s()
        self._feed(content)
        return True


def _connect(address: str, name: str) -> socket.socket:
    parts = urlsplit(address)
    secure = parts.scheme.lower() == "https"
    try:
        connection = socket.create_connection((parts.hostname or "", parts.port or (443 if secure else 80)), TIMEOUT_S)
        if secure:
            import ssl

            return ssl.create_default_context().wrap_socket(connection, server_hostname=parts.hostname)
    except OSError as error:
        raise CameraError(f"{name} cannot be reached: {error.strerror or error}; check address and network.") from error
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _request(connection: socket.socket, address: str, name: str) -> tuple[str, bytes]:
    """(multipart boundary, the first bytes behind the answer's headers)."""
    parts = urlsplit(address)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    lines = [f"GET {target} HTTP/1.0", f"Host: {host}", "User-Agent: edge-runtime", "Accept: multipart/x-mixed-replace"]
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        lines.append(f"Authorization: Basic {base64.b64encode(login).decode()}")
    connection.settimeout(TIMEOUT_S)
    received = b""
    try:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape"))
        while b"\r\n\r\n" not in received and len(received) < MAX_HEADER_BYTES:
            content = connection.recv(CHUNK_BYTES)
            if not content:
                break
            received += content
    except TimeoutError as error:
        raise CameraError(f"{name} did not answer within {TIMEOUT_S:g} s; check the camera.") from error
    except OSError as error:
        raise CameraError(f"{name} broke the connection: {error.strerror or error}.") from error
    head, end, rest = received.partition(b"\r\n\r\n")
    if not end:
        raise CameraError(f"{name} sent {len(received)} bytes and no whole answer; the camera may be restarting.")
    return _boundary(head.decode("latin-1"), name), rest


def _boundary(head: str, name: str) -> str:
    """The multipart boundary that an HTTP answer announces."""
    status, _, rest = head.partition("\r\n")
    words = status.split()
    if len(words) < 2 or not words[0].startswith("HTTP/"):
        raise NotMultipartError(f"{name} does not speak HTTP, it answered {status[:40]!r}.")
    headers = {key.lower(): value for key, value in _pairs(rest.split("\r\n"), ":")}
    digest = words[1] == "401" and headers.get("www-authenticate", "").lower().startswith("digest")
    if words[1] != "200" and not digest and not words[1].startswith("3"):
        remedy = "check user and password" if words[1] in ("401", "403") else "check the address"
        raise CameraError(f"{name} answered {' '.join(words[1:])[:60]}, expected 200; {remedy}.")
    kind, _, options = headers.get("content-type", "").partition(";")
    boundary = next((value for key, value in _pairs(options.split(";"), "=") if key.lower() == "boundary"), "")
    if words[1] != "200" or not kind.strip().lower().startswith("multipart/") or not boundary:
        raise NotMultipartError(f"{name} answered {words[1]} with {kind or 'no type'}, expected a multipart stream.")
    if "transfer-encoding" in headers:
        raise NotMultipartError(f"{name} answers in chunks although HTTP/1.0 was asked for.")
    return boundary


def _pairs(texts: list[str], separator: str) -> list[tuple[str, str]]:
    """``key: value`` or ``key=value`` texts as pairs without blanks around them."""
    return [(key.strip(), value.strip()) for key, _, value in (text.partition(separator) for text in texts)]
