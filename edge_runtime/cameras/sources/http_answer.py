"""One HTTP request to a camera and what it answers: the status in words, the headers, the body without its chunks.

It asks in HTTP/1.0, which forbids chunks; cameras send them all the same.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from edge_runtime.cameras.tls import connect_securely
from edge_runtime.errors import CameraError
from edge_runtime.system.redact import redact_answer

MAX_HEADER_BYTES = 16 * 1024
CHUNK_BYTES = 256 * 1024
REMEDIES = {
    "401": "check user and password",
    "403": "check user and password, and what this user may see",
    "404": "check the path in the address",
    "503": "the camera is busy or has too many viewers; close others",
}
_HEADERS_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True)
class HttpAnswer:
    """``status`` is the number as text, ``reason`` what stands behind it; ``headers`` have names in small letters.

    ``rest`` are the first bytes of the body, as they came.
    """

    status: str
    reason: str
    headers: dict[str, str]
    rest: bytes

    @property
    def kind(self) -> str:
        """The media type, in small letters and without options."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def boundary(self) -> str:
        """The multipart boundary that is announced, or empty."""
        found = re.search(r"boundary\s*=\s*(\"[^\"]*\"|[^;]*)", self.headers.get("content-type", ""), re.I)
        return found[1].strip() if found else ""

    @property
    def leads_to(self) -> str:
        """The address that the server sends us to, or empty."""
        return self.headers.get("location", "") if re.fullmatch("30[12378]", self.status) else ""

    @property
    def length(self) -> int | None:
        """The length of the body in bytes, when it is announced."""
        announced = self.headers.get("content-length", "")
        return int(announced) if re.fullmatch(r"\d{1,12}", announced) else None

    @property
    def is_chunked(self) -> bool:
        """True when the body comes in chunks, each behind its length."""
        return "chunked" in self.headers.get("transfer-encoding", "").lower()


def connect(address: str, name: str, timeout_s: float, camera_ca: str | None = None) -> socket.socket:
    """A connection to the host of ``address``; CameraError when there is none, or its certificate is not believed."""
    parts = urlsplit(address)
    connection: socket.socket
    if parts.scheme.lower() == "https":
        connection = connect_securely(parts.hostname or "", parts.port or 443, name, timeout_s, camera_ca)
    else:
        try:
            connection = socket.create_connection((parts.hostname or "", parts.port or 80), timeout_s)
        except OSError as error:
            raise CameraError(
                f"{name} cannot be reached: {error.strerror or error}; check address and network."
            ) from error
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def send_request(connection: socket.socket, address: str, name: str, timeout_s: float) -> HttpAnswer:
    """Asks for ``address``; CameraError when no whole answer comes or it is none of HTTP."""
    parts = urlsplit(address)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    lines = [f"GET {target} HTTP/1.0", f"Host: {host}", "User-Agent: edge-runtime", "Accept: */*"]
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        lines.append(f"Authorization: Basic {base64.b64encode(login).decode()}")
    connection.settimeout(timeout_s)
    received, end = b"", None
    try:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape"))
        while end is None and len(received) < MAX_HEADER_BYTES:
            content = connection.recv(CHUNK_BYTES)
            if not content:
                break
            received += content
            end = _HEADERS_END.search(received)
    except TimeoutError as error:
        raise CameraError(f"{name} did not answer within {timeout_s:g} s; check the camera.") from error
    except OSError as error:
        raise CameraError(f"{name} broke the connection: {error.strerror or error}.") from error
    if end is None:
        raise CameraError(f"{name} sent {len(received)} bytes and no whole answer; the camera may be restarting.")
    head, rest = received[: end.start()].decode("latin-1"), received[end.end() :]
    status, *fields = head.splitlines() or [""]
    version, number, *words = [*status.split(), "", ""]
    if not version.startswith("HTTP/") or not re.fullmatch("[0-9]{3}", number):
        said = redact_answer(status, address)[:40]
        raise CameraError(f"{name} does not speak HTTP, it answered {said!r}; check address and port.")
    pairs = (field.partition(":") for field in fields)
    reason = redact_answer(" ".join(words), address).strip()[:60]
    return HttpAnswer(number, reason, {key.strip().lower(): value.strip() for key, _, value in pairs}, rest)


class Dechunker:
    """Takes the chunks out of a chunked body."""

    def __init__(self, name: str) -> None:
        self._name, self._unread, self._left = name, b"", 0
        self._is_over = False

    def feed(self, content: bytes) -> bytes:
        """The bytes of the body in ``content``, which may begin and end anywhere.

        Raises:
            CameraError: it is no chunked body, or its last chunk came earlier.
        """
        if self._is_over:
            raise CameraError(f"{self._name} closed its stream; the camera may be restarting.")
        self._unread += content
        found = []
        while self._unread:
            if self._left > 2:
                taken = self._unread[: self._left - 2]
                found.append(taken)
                self._unread, self._left = self._unread[len(taken) :], self._left - len(taken)
            if self._left > 2 or not self._unread:
                break
            if self._left:  # the line break behind a chunk
                taken = self._unread[: self._left]
                self._unread, self._left = self._unread[len(taken) :], self._left - len(taken)
                continue
            line, end, rest = self._unread.partition(b"\n")
            if not end and len(line) < 1024:
                break
            size = line.partition(b";")[0].strip()
            if not end or not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size):
                raise CameraError(f"{self._name} announces chunks but sends {line[:20]!r}; it is broken.")
            if int(size, 16) == 0:
                self._is_over = True
                break
            self._unread, self._left = rest, int(size, 16) + 2
        return b"".join(found)
