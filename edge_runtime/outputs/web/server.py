"""Serves the live page from a separate thread (extra ``web``); the loop never waits for it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_runtime.errors import ConfigurationError, OutputError
from edge_runtime.live.live_state import LiveState
from edge_runtime.live.observers import Observer
from edge_runtime.outputs.web.config import WebConfig
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.thermal import SystemState

if TYPE_CHECKING:
    from edge_runtime.outputs.web.prometheus import Metrics

try:
    import uvicorn
    from starlette.types import ASGIApp

    from edge_runtime.outputs.web.connections import (
        ACCEPTED_AT_ONCE,
        MAX_CONNECTIONS,
        QUEUE,
        BoundedProtocol,
    )
except ImportError as missing:
    raise ConfigurationError(
        f"The live page needs starlette and uvicorn ({missing}): pip install 'edge-runtime[web]'."
    ) from missing

# What a slow reader has not read yet waits here, so this bounds how old an image on the wire can be.
SEND_BUFFER_BYTES = 128 * 1024


@dataclass(frozen=True)
class LivePage:
    """The page's address, the observers that feed it, and whether a viewer waits for a frame to be looked at."""

    url: str
    observers: tuple[Observer, ...]
    wants_look: Callable[[], bool]


@contextlib.contextmanager
def open_live_page(config: WebConfig, live: LiveState, system: Callable[[], SystemState]) -> Iterator[LivePage]:
    """Serves the page while the block runs.

    Raises:
        OutputError: the address cannot be used, at least now.
    """
    from edge_runtime.outputs.web.app import build_app
    from edge_runtime.outputs.web.frames import FrameEncoder
    from edge_runtime.outputs.web.streams import Bell

    listener = _listen(config)
    bell = Bell()
    images = FrameEncoder(live, bell.ring)
    metrics = _metrics(live, system, lambda: images.num_viewers)
    observers: tuple[Observer, ...] = (images,)
    if metrics is not None:
        observers += (metrics,)
    app = build_app(config, live, system, images, bell, metrics.render if metrics else None)
    bound = WebConfig(config.host, listener.getsockname()[1], config.token, config.extra_hosts)
    try:
        with _serving(app, listener):
            try:
                yield LivePage(bound.url, observers, images.wants_look)
            finally:
                images.close()
    finally:
        listener.close()


def _metrics(live: LiveState, system: Callable[[], SystemState], viewers: Callable[[], int]) -> Metrics | None:
    try:
        from edge_runtime.outputs.web.prometheus import Metrics
    except ImportError:
        return None
    return Metrics(live, system, viewers)


def _listen(config: WebConfig) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise OutputError(f"The live page cannot listen on {config.host}: {error.strerror}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        listener.bind(address)
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise OutputError(
            f"The live page cannot listen on {config.host}:{config.port}: {error.strerror}; choose another port "
            "in `web`."
        ) from error
    return listener


@contextlib.contextmanager
def _serving(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=BoundedProtocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            limit_concurrency=2 * MAX_CONNECTIONS,  # the protocol drops idle connections before this limit
            backlog=ACCEPTED_AT_ONCE,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, args=([listener],), name="web", daemon=True)
    thread.start()
    deadline_s = monotonic_s() + 10.0
    while not server.started and thread.is_alive() and monotonic_s() < deadline_s:
        thread.join(0.01)
    if not server.started:
        raise OutputError("The live page's server did not start within 10 s; the machine may be busy, try again.")
    listener.listen(QUEUE)  # asyncio made the kernel's queue only as long as the number it accepts at once
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(2.0)
