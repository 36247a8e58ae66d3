"""Lets FFmpeg read a camera through a local port, so that this package checks what FFmpeg does not: a camera's TLS
certificate, and its redirects.

The bytes pass unchanged, except for the host name in an HTTP request and the target of a redirect.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit, urlunsplit

from edge_runtime.cameras.redirects import ForbiddenRedirectError, RedirectRewriter
from edge_runtime.cameras.tls import connect_securely
from edge_runtime.errors import CameraError
from edge_runtime.system.redact import redact

if TYPE_CHECKING:
    import ssl

DEFAULT_PORTS = {"https": 443, "rtsps": 322, "rtsp": 554}
PLAIN_SCHEMES = {"https": "http", "rtsps": "rtsp", "rtsp": "rtsp"}
TIMEOUT_S = 4.0
PIECE_BYTES = 64 * 1024
# A camera that redirects more often than this goes round in circles.
MAX_REDIRECTS = 5


class Relay:
    """Listens on 127.0.0.1 until `close`; ``address`` is what FFmpeg opens instead, with the user and password.

    ``num_dry`` counts how often everything the camera had sent was passed on. ``refusal`` says which redirect was
    refused, as the end of a sentence; empty if none was.

    Raises:
        CameraError: a camera over TLS cannot be reached or its certificate is not trusted.
        MissingInputError, ConfigurationError: as `make_context`.
    """

    def __init__(self, address: str, name: str, camera_ca: str | None) -> None:
        self._parts = parts = urlsplit(address)
        self._target = (parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme])
        self._name, self._camera_ca = name, camera_ca
        self._lock, self._sockets = threading.Lock(), set[socket.socket]()
        self._is_closed, self._num_redirects, self.refusal = False, 0, ""
        self.num_dry = 0
        # Without TLS, the connection is left to `_join`: FFmpeg's own failure says enough.
        self._first = self._connect() if parts.scheme != "rtsp" else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        user, at, host = parts.netloc.rpartition("@")
        place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._hosts = f"\r\nHost: {place}\r\n".encode(), f"\r\nHost: {host}\r\n".encode()
        self._here = parts._replace(scheme=PLAIN_SCHEMES[parts.scheme], netloc=f"{user}{at}{place}")
        self.address = urlunsplit(self._here)
        threading.Thread(target=self._serve, name="relay", daemon=True).start()

    def close(self) -> None:
        """Ends every connection; may be called more than once."""
        self._is_closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            left = [*self._sockets, *([self._first] if self._first is not None else [])]
            self._sockets.clear()
        for each in left:
            _end(each)
        if self._first is not None:
            self._first.close()

    def _connect(self) -> socket.socket:
        if self._parts.scheme != "rtsp":
            return connect_securely(*self._target, self._name, TIMEOUT_S, self._camera_ca)
        return socket.create_connection(self._target, TIMEOUT_S)

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._join, args=(near,), name="relay", daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        with self._lock:
            far, self._first = self._first, None
        with near:
            try:
                far = far or self._connect()
            except (CameraError, OSError):  # FFmpeg sees the end; reopening the camera then gives the reason
                return
            with far:
                with self._lock:
                    self._sockets |= {near, far}
                if not self._is_closed:
                    with contextlib.suppress(
                        OSError,  # of either side, including the timeout of a camera that stops in mid-record
                        ForbiddenRedirectError,
                    ):
                        _pass_on(
                            near,
                            far,
                            self._hosts,
                            RedirectRewriter(self._rewrite, is_rtsp=self._here.scheme == "rtsp"),
                            self._note_dry,
                        )
                with self._lock:
                    self._sockets -= {near, far}

    def _note_dry(self) -> None:
        self.num_dry += 1

    def _rewrite(self, where: bytes) -> bytes:
        """This relay's address in place of one of the camera's own; ForbiddenRedirectError for any other."""
        self._num_redirects += 1
        try:
            parts = urlsplit(urljoin(urlunsplit(self._parts), where.decode("latin-1")))
            target = parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
        except ValueError:
            parts, target = urlsplit(""), ("", 0)
        if self._num_redirects > MAX_REDIRECTS:
            self.refusal = f"redirects us again and again, {MAX_REDIRECTS} times, expected a stream; check its settings"
        elif parts.scheme != self._parts.scheme or target[0] != self._target[0]:
            shown = redact(urlunsplit(parts)) if parts.scheme and target[0] else "no address"
            self.refusal = (
                f"redirects us to {shown}, expected {self._parts.scheme} and the same host; give that address itself "
                "if it is right, or check the camera's settings"
            )
        else:
            self._target = target
            return urlunsplit(parts._replace(scheme=self._here.scheme, netloc=self._here.netloc)).encode("latin-1")
        raise ForbiddenRedirectError


def _pass_on(
    near: socket.socket,
    far: socket.socket,
    hosts: tuple[bytes, bytes],
    rewriter: RedirectRewriter,
    note_dry: Callable[[], None],
) -> None:
    """Passes on bytes in both directions until one side ends; ``hosts`` are a line from ``near`` and its replacement.
    ``note_dry`` is called whenever nothing is waiting on either side.

    One thread does both: two must not use a TLS connection at once.
    """
    count_pending = getattr(far, "pending", int)
    may_redirect = True
    while True:
        ready = [far] if count_pending() else select.select([near, far], [], [], 0)[0]
        if not ready:
            note_dry()
            ready = select.select([near, far], [], [])[0]
        if far in ready:
            content = _receive(far)
            if content == b"":
                return
            # None means nothing yet, not the end.
            near.sendall(rewriter.pass_on(content or b"") if may_redirect else content or b"")
        if near in ready:
            content = near.recv(PIECE_BYTES)
            if not content:
                return
            may_redirect &= not content.startswith(b"PLAY ")  # the video, in which FFmpeg follows no redirects
            far.settimeout(TIMEOUT_S)
            far.sendall(content.replace(*hosts))


def _receive(far: socket.socket | ssl.SSLSocket) -> bytes | None:
    """The bytes that have come; None for half a TLS record or one without data, empty at the end."""
    far.settimeout(0)
    try:
        return far.recv(PIECE_BYTES)
    except OSError as error:
        if isinstance(error, BlockingIOError) or type(error).__name__ == "SSLWantReadError":
            return None
        raise


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # bypasses the TLS layer, which another thread is using
