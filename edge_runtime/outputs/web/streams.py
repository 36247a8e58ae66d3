"""Answers that never end: the images as multipart JPEG, and the state as server-sent events.

Every reader gets the newest item and nothing that it missed; one that does not read for `WRITE_S` is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from edge_runtime.outputs.web.frames import MAX_VIEWERS, FrameEncoder
from edge_runtime.system.clock import monotonic_s

WRITE_S = 5.0
EVENT_S = 0.2
MAX_EVENT_READERS = 12
BOUNDARY = "edge-runtime-frame"


class Bell:
    """Rung from any thread, heard by every waiting coroutine."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event: asyncio.Event | None = None

    async def wait(self, timeout_s: float) -> None:
        """Returns at the next ring or after ``timeout_s``."""
        self._loop = asyncio.get_running_loop()
        if self._event is None or self._event.is_set():
            self._event = asyncio.Event()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._event.wait(), timeout_s)

    def ring(self) -> None:
        """Wakes all that wait; may be called from any thread."""
        if self._loop is not None and self._event is not None:
            with contextlib.suppress(RuntimeError):  # the server's loop has ended
                self._loop.call_soon_threadsafe(self._event.set)


class EndlessAnswer:
    """An ASGI answer that sends ``parts`` until the reader leaves or is too slow, or the parts end."""

    def __init__(self, content_type: str, parts: Callable[[], AsyncIterator[bytes]], write_s: float = WRITE_S) -> None:
        self._content_type, self._parts, self._write_s = content_type, parts, write_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", self._content_type.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        scope.get("state", {}).get("begin_endless", lambda: None)()
        gone = asyncio.ensure_future(_disconnect(receive))
        parts = self._parts()
        try:
            async for part in parts:
                if gone.done():
                    return
                if part:
                    message = {"type": "http.response.body", "body": part, "more_body": True}
                    await asyncio.wait_for(send(message), self._write_s)
            await send({"type": "http.response.body", "body": b""})
        except asyncio.TimeoutError:
            abort = scope.get("state", {}).get("abort")
            if abort is not None:
                abort()
        finally:
            gone.cancel()
            await parts.aclose()  # type: ignore[attr-defined]


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class FrameStream:
    """``multipart/x-mixed-replace``: one part per image, with its age; the fifth viewer is told that all places are
    taken.
    """

    def __init__(self, images: FrameEncoder, bell: Bell) -> None:
        self._images, self._bell = images, bell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "HEAD" and not self._images.join():
            text = f"{MAX_VIEWERS} viewers are looking already; close one of them, this page tries again.\n"
            await PlainTextResponse(text, 503, {"Retry-After": "5"})(scope, receive, send)
            return
        try:
            answer = EndlessAnswer(f"multipart/x-mixed-replace; boundary={BOUNDARY}", self._parts)
            await answer(scope, receive, send)
        finally:
            if scope["method"] != "HEAD":
                self._images.leave()

    async def _parts(self) -> AsyncIterator[bytes]:
        last = 0
        yield f"--{BOUNDARY}\r\n".encode()
        while not self._images.closed:
            image = self._images.newest()
            if image is None or image.number == last:
                yield b""  # a chance to notice that the reader has left
                await self._bell.wait(0.5)
                continue
            last = image.number
            now_s = monotonic_s()
            head = (
                f"Content-Type: image/jpeg\r\nContent-Length: {len(image.jpeg)}\r\nX-Seq: {image.seq}\r\n"
                f"X-Age-Ms: {(now_s - image.captured_s) * 1e3:.1f}\r\nX-Sent-Ms: {now_s * 1e3:.1f}\r\n"
                f"X-Crop: {','.join(f'{value:.4f}' for value in image.crop)}\r\n"
                f"X-Heat: {image.heat}\r\n\r\n"
            )
            yield head.encode() + image.jpeg + f"\r\n--{BOUNDARY}\r\n".encode()


class EventStream:
    """``text/event-stream``: the state a few times a second; made once for all readers by ``state_text``.

    When all places are taken, the reader that has listened longest is cut off: a page reconnects after a second, and
    readers that no longer read keep nobody out.
    """

    def __init__(self, state_text: Callable[[], str], is_closed: Callable[[], bool]) -> None:
        self._state_text, self._is_closed = state_text, is_closed
        self._readers: dict[object, Callable[[], None]] = {}  # what cuts each off, the oldest first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reader = object()
        while len(self._readers) >= MAX_EVENT_READERS:
            self._readers.pop(next(iter(self._readers)))()
        self._readers[reader] = scope.get("state", {}).get("abort") or (lambda: None)
        try:
            await EndlessAnswer("text/event-stream; charset=utf-8", self._parts)(scope, receive, send)
        finally:
            self._readers.pop(reader, None)

    async def _parts(self) -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n"
        while not self._is_closed():
            yield f"event: state\ndata: {self._state_text()}\n\n".encode()
            await asyncio.sleep(EVENT_S)
