"""Lets FFmpeg read a camera through a port of this machine, so that we check what it does not: the certificate of a
camera over TLS, and where a camera leads.

The bytes pass unchanged, but for the name of the host in a request by HTTP, and where the camera leads.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit, urlunsplit

from edge_runtime.cameras.leads import Leads, LedAstrayError
from edge_runtime.cameras.tls import connect_securely
from edge_runtime.errors import CameraError
from edge_runtime.system.redact import redact

if TYPE_CHECKING:
    import ssl

DEFAULT_PORTS = {"https": 443, "rtsps": 322, "rtsp": 554}
PLAIN_SCHEMES = {"https": "http", "rtsps": "rtsp", "rtsp": "rtsp"}
TIMEOUT_S = 4.0
PIECE_BYTES = 64 * 1024
# A camera that sends us on more often goes in circles.
MAX_LEADS = 5


class Relay:
    """Listens on 127.0.0.1 until `close`; ``address`` is what FFmpeg is to open instead, with its user and password.

    ``num_dry`` counts how often all that the camera had sent was passed on.
    ``refusal`` says where the camera wanted to send us, as the end of a sentence; empty when it did not.

    Raises:
        CameraError: a camera over TLS cannot be reached or its certificate is not believed.
        MissingInputError, ConfigurationError: as `make_context`.
    """

    def __init__(self, address: str, name: str, camera_ca: str | None) -> None:
        self._parts = parts = urlsplit(address)
        self._target = (parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme])
        self._name, self._camera_ca = name, camera_ca
        self._lock, self._sockets = threading.Lock(), set[socket.socket]()
        self._is_closed, self._num_leads, self.refusal = False, 0, ""
        self.num_dry = 0
        # FFmpeg's own failure says enough of a camera without TLS.
        self._first = self._connect() if parts.scheme != "rtsp" else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        user, at, host = parts.netloc.rpartition("@")
        place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._hosts = f"\r\nHost: {place}\r\n".encode(), f"\r\nHost: {host}\r\n".encode()
        self._here = parts._replace(scheme=PLAIN_SCHEMES[parts.scheme], netloc=f"{user}{at}{place}")
        self.address = urlunsplit(self._here)
        threading.Thread(target=self._serve, name="relay", daemon=True).start()

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
            except (CameraError, OSError):  # FFmpeg sees the end, and the camera is opened again, which says why
                return
            with far:
                with self._lock:
                    self._sockets |= {near, far}
                if not self._is_closed:
                    with contextlib.suppress(
                        OSError,  # of either side, a timeout of a camera that stopped within a record
                        LedAstrayError,
                    ):
                        _pass_on(
                            near,
                            far,
                            self._hosts,
                            Leads(self._turn, is_rtsp=self._here.scheme == "rtsp"),
                            self._note_dry,
                        )
                with self._lock:
                    self._sockets -= {near, far}

    def _note_dry(self) -> None:
        self.num_dry += 1

    def _turn(self, where: bytes) -> bytes:
        """The address of this relay for one of the camera's own; LedAstrayError for any other."""
        self._num_leads += 1
        try:
            parts = urlsplit(urljoin(urlunsplit(self._parts), where.decode("latin-1")))
            target = parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
        except ValueError:
            parts, target = urlsplit(""), ("", 0)
        if self._num_leads > MAX_LEADS:
            self.refusal = f"sends us on and on, {MAX_LEADS} times, expected a stream; check its settings"
        elif parts.scheme != self._parts.scheme or target[0] != self._target[0]:
            shown = redact(urlunsplit(parts)) if parts.scheme and target[0] else "no address"
            self.refusal = (
                f"sends us to {shown}, expected {self._parts.scheme} and the same host; give that address itself if it "
                "is right, or check the camera's settings"
            )
        else:
            self._target = target
            return urlunsplit(parts._replace(scheme=self._here.scheme, netloc=self._here.netloc)).encode("latin-1")
        raise LedAstrayError


def _pass_on(
    near: socket.socket, far: socket.socket, hosts: tuple[bytes, bytes], leads: Leads, note_dry: Callable[[], None]
) -> None:
    """Both ways, until one side ends; ``hosts`` are a line of ``near`` and what takes its place. ``note_dry`` is called
    whenever nothing has come from either.

    In one thread: a TLS connection may not be used by two at once.
    """
    count_pending = getattr(far, "pending", int)
    is_leading = True
    while True:
        ready = [far] if count_pending() else select.select([near, far], [], [], 0)[0]
        if not ready:
            note_dry()
            ready = select.select([near, far], [], [])[0]
        if far in ready:
            content = _receive(far)
            if content == b"":
                return
            # Nothing yet is no end.
            near.sendall(leads.pass_on(content or b"") if is_leading else content or b"")
        if near in ready:
            content = near.recv(PIECE_BYTES)
            if not content:
                return
            is_leading &= not content.startswith(b"PLAY ")  # the video, in which FFmpeg follows nobody
            far.settimeout(TIMEOUT_S)
            far.sendall(content.replace(*hosts))


def _receive(far: socket.socket | ssl.SSLSocket) -> bytes | None:
    """What has come; None when that was half a record, or one that TLS keeps for itself, and empty at the end."""
    far.settimeout(0)
    try:
        return far.recv(PIECE_BYTES)
    except OSError as error:
        if isinstance(error, BlockingIOError) or type(error).__name__ == "SSLWantReadError":
            return None
        raise


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # never by way of TLS, which another thread is using
