"""Attack 5: answer `install URL` without end: a byte now and then, or bytes for ever. Stopped by a deadline and a cap."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

import edge_runtime.installed.install as installation
from edge_runtime.errors import MissingInputError, ModelError
from edge_runtime.installed.install import fetch

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"


@contextlib.contextmanager
def server(beginning: bytes, piece: bytes, pause_s: float) -> Iterator[str]:
    """Sends ``beginning``, then ``piece`` again and again; gives its address."""
    listener, stop = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(beginning)
                while not stop.wait(pause_s):
                    connection.sendall(piece)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/m.tflite"
    stop.set()
    listener.close()
    thread.join(5)


@pytest.fixture(autouse=True)
def anybody_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_expect_genuine", lambda address: None)


@pytest.mark.parametrize(
    ("beginning", "piece"),
    [(b"", b"H"), (b"HTTP/1.0 200 OK\r\n", b"X: y\r\n"), (ANSWER, b"x"), (b"HTTP/1.0 100 Continue\r\n\r\n", b"\r\n")],
)
def test_a_server_that_drips_is_left_at_the_deadline(
    beginning: bytes, piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "FETCH_S", 0.5)
    monkeypatch.setattr(installation, "FETCH_TIMEOUT_S", 2.0)
    with (
        server(beginning, piece, 0.05) as address,
        pytest.raises(Exception, match=r"gave no whole model within 0\.5 s|cannot be read|does not give"),
    ):
        fetch(address)


def test_bytes_without_end_stop_at_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "MAX_FETCHED_BYTES", 300_000)
    with (
        server(ANSWER, b"x" * 65536, 0.0) as address,
        pytest.raises(ModelError, match=r"has more than 300000 bytes, the most that is read\. Is it the address"),
    ):
        fetch(address)


def test_who_is_late_is_named_with_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "FETCH_S", 0.2)
    with (
        server(ANSWER, b"x", 0.05) as address,
        pytest.raises(
            MissingInputError, match=r"^http://127\.0\.0\.1:\d+ gave no whole model within 0\.2 s; .* other means"
        ),
    ):
        fetch(address)
