"""Lets FFmpeg read a camera over TLS through a port of this machine, so that the certificate is checked by us.

The bytes pass unchanged, but for the name of the host in a request by HTTP.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from edge_runtime.cameras.tls import connect_securely
from edge_runtime.errors import CameraError

if TYPE_CHECKING:
    import ssl

DEFAULT_PORTS = {"https": 443, "rtsps": 322}
PLAIN_SCHEMES = {"https": "http", "rtsps": "rtsp"}
TIMEOUT_S = 4.0
PIECE_BYTES = 64 * 1024


class TlsRelay:
    """Listens on 127.0.0.1 until `close`; ``address`` is what FFmpeg is to open instead, with its user and password.

    Raises:
        CameraError: the camera cannot be reached or its certificate is not believed.
        MissingInputError, ConfigurationError: as `make_context`.
    """

    def __init__(self, address: str, name: str, camera_ca: str | None) -> None:
        parts = urlsplit(address)
        self._target = (parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme])
        self._name, self._camera_ca = name, camera_ca
        self._lock, self._sockets = threading.Lock(), set[socket.socket]()
        self._is_closed = False
        self._first: ssl.SSLSocket | None = self._connect()
        self._listener = socket.create_server(("127.0.0.1", 0))
        user, at, host = parts.netloc.rpartition("@")
        place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._hosts = f"\r\nHost: {place}\r\n".encode(), f"\r\nHost: {host}\r\n".encode()
        self.address = urlunsplit(parts._replace(scheme=PLAIN_SCHEMES[parts.scheme], netloc=f"{user}{at}{place}"))
        threading.Thread(target=self._serve, name="tls-relay", daemon=True).start()

    def close(self) -> None:
        """Ends every connection; allowed more than once."""
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

    def _connect(self) -> ssl.SSLSocket:
        return connect_securely(*self._target, self._name, TIMEOUT_S, self._camera_ca)

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._join, args=(near,), name="tls-relay", daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        with self._lock:
            far, self._first = self._first, None
        with near:
            try:
                far = far or self._connect()
            except CameraError:  # FFmpeg sees the end, and the camera is opened again, which says why
                return
            with far:
                with self._lock:
                    self._sockets |= {near, far}
                if not self._is_closed:
                    with contextlib.suppress(
                        OSError
                    ):  # of either side, a timeout of a camera that stopped within a record
                        _pass_on(near, far, self._hosts)
                with self._lock:
                    self._sockets -= {near, far}


def _pass_on(near: socket.socket, far: ssl.SSLSocket, hosts: tuple[bytes, bytes]) -> None:
    """Both ways, until one side ends; ``hosts`` are a line of ``near`` and what takes its place.

    In one thread: a TLS connection may not be used by two at once.
    """
    while True:
        ready = [far] if far.pending() else select.select([near, far], [], [])[0]
        if far in ready:
            content = _receive(far)
            if content == b"":
                return
            near.sendall(content or b"")  # nothing yet is no end
        if near in ready:
            content = near.recv(PIECE_BYTES)
            if not content:
                return
            far.settimeout(TIMEOUT_S)
            far.sendall(content.replace(*hosts))


def _receive(far: ssl.SSLSocket) -> bytes | None:
    """What has come; None when that was half a record, or one that TLS keeps for itself, and empty at the end."""
    far.settimeout(0)
    try:
        return far.recv(PIECE_BYTES)
    except OSError as error:
        if type(error).__name__ == "SSLWantReadError":
            return None
        raise


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # never by way of TLS, which another thread is using
