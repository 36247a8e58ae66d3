"""One HTTP request to a camera and its answer: the status in words, the headers, the body with its chunks joined.

Requests use HTTP/1.0, which forbids chunks; some cameras send them anyway.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from edge_runtime.cameras.tls import connect_securely
from edge_runtime.errors import CameraError
from edge_runtime.system.redact import redact_answer

MAX_HEADER_BYTES = 16 * 1024
CHUNK_BYTES = 256 * 1024
# Cameras and proxies announce a wait in so many answers of their own at most (100 Continue, 103 Early Hints).
MAX_INTERIM = 4
# What a path and a query may hold as they are; the rest, such as a blank, would end the request's first line early.
_AS_IT_IS = "%/:=&?~#+!$,;'@()*[]"
_TLS_ALERT = b"\x15\x03"
_STATUS = re.compile(r"(?:HTTP/\S+|ICY)\s+([0-9]{3})(?!\S)\s*(.*)", re.I)
_HEADERS_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True)
class HttpAnswer:
    """``status`` is the status code as text, ``reason`` the phrase after it; ``headers`` have names in lower case.

    ``rest`` is the beginning of the body, as received.
    """

    status: str
    reason: str
    headers: dict[str, str]
    rest: bytes

    @property
    def kind(self) -> str:
        """The media type, in lower case and without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def boundary(self) -> str:
        """The announced multipart boundary, or empty."""
        found = re.search(r"boundary\s*=\s*(\"[^\"]*\"|[^;]*)", self.headers.get("content-type", ""), re.I)
        return found[1].strip() if found else ""

    @property
    def redirect(self) -> str:
        """The address that the server redirects to, or empty."""
        return self.headers.get("location", "") if re.fullmatch("30[12378]", self.status) else ""

    @property
    def length(self) -> int | None:
        """The announced length of the body in bytes, or None."""
        announced = self.headers.get("content-length", "")
        return int(announced) if re.fullmatch(r"\d{1,12}", announced) else None

    @property
    def is_chunked(self) -> bool:
        """True if the body comes in chunks, each after its length."""
        return "chunked" in self.headers.get("transfer-encoding", "").lower()


def connect(address: str, name: str, timeout_s: float, camera_ca: str | None = None) -> socket.socket:
    """A connection to the host of ``address``; CameraError if that fails or its certificate is not trusted."""
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
    """Requests ``address``; CameraError if no complete answer comes or it is not HTTP."""
    parts = urlsplit(address)
    target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), _AS_IT_IS)
    host = parts.netloc.rpartition("@")[2]
    lines = [f"GET {target} HTTP/1.0", f"Host: {host}", "User-Agent: edge-runtime", "Accept: */*"]
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        lines.append(f"Authorization: Basic {base64.b64encode(login).decode()}")
    connection.settimeout(timeout_s)
    try:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape"))
        received = b""
        for _ in range(1 + MAX_INTERIM):
            head, received = _receive_head(connection, name, received)
            answer = _read_head(head, received, address, name)
            if not answer.status.startswith("1"):
                break
    except CameraError:  # is an OSError, too, and says already what is wrong
        raise
    except TimeoutError as error:
        raise CameraError(f"{name} did not answer within {timeout_s:g} s; check the camera.") from error
    except OSError as error:
        raise CameraError(f"{name} broke the connection: {error.strerror or error}.") from error
    return answer


def _receive_head(connection: socket.socket, name: str, received: bytes) -> tuple[str, bytes]:
    """(the next status line and headers, what came after them), beginning with ``received``."""
    while True:
        received = received.lstrip(b"\r\n")
        end = _HEADERS_END.search(received)
        if end is not None:
            return received[: end.start()].decode("latin-1"), received[end.end() :]
        content = connection.recv(CHUNK_BYTES) if len(received) < MAX_HEADER_BYTES else b""
        if not content:
            hint = "it speaks TLS, so its address begins with https://" if received.startswith(_TLS_ALERT) else ""
            raise CameraError(
                f"{name} sent {len(received)} bytes and no complete answer; {hint or 'the camera may be restarting'}."
            )
        received += content


def _read_head(head: str, rest: bytes, address: str, name: str) -> HttpAnswer:
    status, *fields = head.splitlines() or [""]
    found = _STATUS.fullmatch(status.strip())
    if found is None:
        said = redact_answer(status, address)[:40]
        remedy = (
            "the address of its stream begins with rtsp://" if said.startswith("RTSP/") else "check address and port"
        )
        raise CameraError(f"{name} does not speak HTTP, it answered {said!r}; {remedy}.")
    headers: dict[str, str] = {}
    for field in fields:
        key, _, value = field.partition(":")
        key, value = key.strip().lower(), value.strip()
        # Of these each may be one of several choices; of others the last one holds.
        is_choice = key == "www-authenticate" and key in headers
        headers[key] = f"{headers[key]}, {value}" if is_choice else value
    return HttpAnswer(found[1], redact_answer(found[2], address).strip()[:60], headers, rest)


class Dechunker:
    """Joins the chunks of a chunked body."""

    def __init__(self, name: str) -> None:
        self._name, self._unread, self._left = name, b"", 0
        self._is_over = False

    def feed(self, content: bytes) -> bytes:
        """The bytes of the body in ``content``, which may begin and end anywhere.

        Raises:
            CameraError: it is not a chunked body, or the last chunk has already come.
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
            if self._left:  # the line break after a chunk
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
