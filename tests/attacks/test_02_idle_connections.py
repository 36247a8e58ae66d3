"""Attack 2: use up the device's descriptors and log by connections to the live page, without any token. Stopped by
`connections`: idle ones are dropped for newer ones, those of the busiest address first; and by a short log.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.patience import HANG_S

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from edge_runtime.live.live_state import LiveState
from edge_runtime.outputs.web import connections
from edge_runtime.outputs.web.config import WebConfig
from edge_runtime.outputs.web.server import open_live_page
from edge_runtime.system.thermal import SystemState

ATTACKER, VIEWER = "127.0.0.2", "127.0.0.1"


@pytest.fixture
def port() -> Iterator[int]:
    with open_live_page(WebConfig(port=0), LiveState(), SystemState) as page:
        yield int(page.url.rsplit(":", 1)[1].rstrip("/"))


def connect_idly(port: int, count: int, source: str = ATTACKER) -> list[socket.socket]:
    """``count`` connections that never ask anything."""
    return [socket.create_connection((VIEWER, port), 10, (source, 0)) for _ in range(count)]


def reconnect_without_end(port: int, stop: threading.Event) -> None:
    """Connects, says half a line, and connects again."""
    held: list[socket.socket] = []
    while not stop.is_set():
        with contextlib.suppress(OSError):
            held += connect_idly(port, 1)
            held[-1].sendall(b"GET / HT")
        if len(held) > 20:
            held.pop(0).close()
    for each in held:
        each.close()


def ask(port: int, path: str = "/api/state", source: str = VIEWER) -> int:
    connection = http.client.HTTPConnection(VIEWER, port, timeout=HANG_S, source_address=(source, 0))
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status


def count_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_hundreds_of_idle_connections_leave_the_descriptors_to_the_pipeline(port: int) -> None:
    before = count_descriptors()
    idle = connect_idly(port, 400)
    end_s = time.monotonic() + HANG_S
    most = len(idle) + connections.MAX_CONNECTIONS
    while (held := count_descriptors() - before) > most and time.monotonic() < end_s:
        time.sleep(0.02)
    assert held <= most
    assert ask(port) == 200
    for each in idle:
        each.close()


@pytest.mark.parametrize("source", [VIEWER, ATTACKER])
def test_a_viewer_gets_in_while_others_reconnect_without_end(port: int, source: str) -> None:
    stop = threading.Event()
    attackers = [threading.Thread(target=reconnect_without_end, args=(port, stop)) for _ in range(3)]
    for attacker in attackers:
        attacker.start()
    try:
        answers = []
        for _ in range(20):
            with contextlib.suppress(OSError, http.client.HTTPException):
                answers.append(ask(port, source=source))
    finally:
        stop.set()
        for attacker in attackers:
            attacker.join()
    assert answers.count(200) >= (20 if source == VIEWER else 15)


@pytest.mark.slow
def test_a_stream_is_never_dropped_for_idle_connections(port: int) -> None:
    with socket.create_connection((VIEWER, port), 10, (ATTACKER, 0)) as viewer:
        viewer.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in viewer.recv(100)
        idle = connect_idly(port, 200)
        received = 0
        while received < 20_000:
            content = viewer.recv(1 << 16)
            assert content
            received += len(content)
        for each in idle:
            each.close()


def test_a_viewer_gets_in_although_others_ask_a_thousand_times_at_once_and_read_nothing(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[connections.BoundedProtocol] = []
    real = connections.BoundedProtocol.connection_made

    def note(self: connections.BoundedProtocol, transport: asyncio.Transport) -> None:
        made.append(self)
        real(self, transport)

    monkeypatch.setattr(connections.BoundedProtocol, "connection_made", note)
    held = []
    for number in range(connections.MAX_CONNECTIONS):
        held.append(socket.socket())
        held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        held[-1].bind((f"127.0.0.{2 + number % 3}", 0))
        held[-1].connect((VIEWER, port))
        held[-1].sendall(b"GET /page.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        end_s = time.monotonic() + 10
        while not (len(made) == len(held) and made[-1].flow.write_paused) and time.monotonic() < end_s:
            time.sleep(0.005)
    assert all(each.flow.write_paused for each in made)
    assert [ask(port) for _ in range(5)] == [200] * 5
    for each in held:
        each.close()


def test_where_no_connection_is_idle_the_new_one_is_dropped(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_PER_ADDRESS", 2)
    listeners = [socket.create_connection((VIEWER, port), 10) for _ in range(2)]
    for each in listeners:
        each.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert each.recv(100)
    with socket.create_connection((VIEWER, port), 10) as late, contextlib.suppress(ConnectionResetError):
        late.settimeout(HANG_S)
        assert late.recv(10) == b""
    for each in listeners:
        each.close()


def test_where_descriptors_are_few_the_page_takes_a_quarter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections.resource, "getrlimit", lambda which: (64, 64))
    assert connections.count_places() == 16
    monkeypatch.setattr(connections.resource, "getrlimit", lambda which: (connections.resource.RLIM_INFINITY, 0))
    assert connections.count_places() == connections.MAX_CONNECTIONS


def test_readers_of_events_that_do_not_read_keep_nobody_out(port: int) -> None:
    stuck = connect_idly(port, 12, VIEWER)
    for each in stuck:
        each.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert each.recv(15) == b"HTTP/1.1 200 OK"
    with socket.create_connection((VIEWER, port), 10) as viewer:
        viewer.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert viewer.recv(15) == b"HTTP/1.1 200 OK"
    for each in stuck:
        each.close()


def test_a_number_of_five_thousand_digits_is_no_error_of_the_server(port: int) -> None:
    assert ask(port, f"/thumbs/{'9' * 5000}.jpg") == 404


def test_what_other_libraries_log_is_short_and_soon_silent(capsys: pytest.CaptureFixture[str]) -> None:
    from edge_runtime.cli.stderr_log import MAX_FOREIGN, FewOfOthers, Lines

    few, lines = FewOfOthers(), Lines()
    texts = []
    for number in range(1000):
        try:
            raise OSError(24, "Too many open files")
        except OSError as error:
            record = logging.LogRecord(
                "asyncio", logging.ERROR, "", 0, f"accept\nfailed {number}", None, (OSError, error, None)
            )
        if few.filter(record):
            texts.append(lines.format(record))
    assert len(texts) == MAX_FOREIGN
    assert texts[0] == "edge-runtime: asyncio: accept failed 0 (OSError: [Errno 24] Too many open files)"
    assert texts[-1].startswith(
        f"edge-runtime: asyncio: accept failed {MAX_FOREIGN - 1} (what follows from other libraries is not"
    )
    ours = logging.LogRecord("edge_runtime.outputs", logging.WARNING, "", 0, "ours", None, None)
    assert all(few.filter(ours) for _ in range(100)) and lines.format(ours) == "edge-runtime: ours"
