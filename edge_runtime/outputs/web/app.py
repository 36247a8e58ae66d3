"""The routes of the live page and its interfaces; every answer comes from memory, none from the loop's thread."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from importlib import resources

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from edge_runtime.live.live_state import LiveState
from edge_runtime.outputs.web.config import WebConfig
from edge_runtime.outputs.web.frames import FrameEncoder
from edge_runtime.outputs.web.guard import Guard
from edge_runtime.outputs.web.state import make_health_object, make_state_object
from edge_runtime.outputs.web.streams import Bell, EventStream, FrameStream
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.json_line import to_json_line
from edge_runtime.system.thermal import SystemState

STATIC = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/frames.js": ("frames.js", "text/javascript; charset=utf-8"),
    "/region.js": ("region.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
SNAPSHOT_S = 2.0
STATE_VALID_S = 0.15


def build_app(
    config: WebConfig,
    live: LiveState,
    system: Callable[[], SystemState],
    images: FrameEncoder,
    bell: Bell,
    metrics: Callable[[], bytes] | None,
) -> ASGIApp:
    """The guarded application; ``metrics`` None means that the metrics library is not installed."""
    state = _StateText(live, system, images)

    async def snapshot_jpg(request: Request) -> Response:
        image = images.newest()
        if image is None or (image.captured_s < monotonic_s() - 0.2 and not images.rests):
            images.ask(True)
            try:
                deadline_s = monotonic_s() + SNAPSHOT_S
                last = image
                while (image := images.newest()) is last or image is None:
                    if monotonic_s() >= deadline_s or images.closed:
                        break
                    await bell.wait(0.1)
            finally:
                images.ask(False)
        if image is None:
            return PlainTextResponse(f"There is no live image: {live.snapshot().reason}.\n", 503)
        age_ms = (monotonic_s() - image.captured_s) * 1e3
        return Response(
            image.jpeg, media_type="image/jpeg", headers={"X-Seq": str(image.seq), "X-Age-Ms": f"{age_ms:.1f}"}
        )

    async def thumb(request: Request) -> Response:
        number = request.path_params["number"]  # text: it may have thousands of digits
        jpeg = images.thumb(int(number)) if re.fullmatch(r"[0-9]{1,12}", number) else None
        return Response(jpeg, media_type="image/jpeg") if jpeg else PlainTextResponse("No longer kept.\n", 404)

    async def api_state(request: Request) -> Response:
        return Response(state() + "\n", media_type="application/json")

    async def healthz(request: Request) -> Response:
        value = make_health_object(live.snapshot(), system())
        return Response(
            to_json_line(value) + "\n", 200 if value["status"] == "ok" else 503, media_type="application/json"
        )

    async def metrics_text(request: Request) -> Response:
        if metrics is None:
            return PlainTextResponse("Metrics need prometheus-client: pip install 'edge-runtime[metrics]'\n", 404)
        text = await asyncio.get_running_loop().run_in_executor(None, metrics)
        return Response(text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    routes = [Route(path, _static(name, kind)) for path, (name, kind) in STATIC.items()]
    routes += [
        Route("/api/state", api_state),
        Route("/api/events", EventStream(state, lambda: images.closed), methods=["GET"]),
        Route("/stream.mjpg", FrameStream(images, bell), methods=["GET"]),
        Route("/snapshot.jpg", snapshot_jpg),
        Route("/thumbs/{number}.jpg", thumb),
        Route("/healthz", healthz),
        Route("/metrics", metrics_text),
    ]
    return Guard(Starlette(routes=routes), config)


class _StateText:
    """The state as JSON text, made at most every `STATE_VALID_S`, however many readers ask."""

    def __init__(self, live: LiveState, system: Callable[[], SystemState], images: FrameEncoder) -> None:
        self._live, self._system, self._images = live, system, images
        self._text, self._made_s = "", -1e9

    def __call__(self) -> str:
        if monotonic_s() - self._made_s > STATE_VALID_S:
            image = self._images.newest()
            value = make_state_object(
                self._live.snapshot(),
                self._system(),
                (image.width, image.height) if image else None,
                self._images.num_viewers,
            )
            self._text = to_json_line(value)
            self._made_s = monotonic_s()
        return self._text


def _static(name: str, content_type: str) -> Callable[[Request], Response]:
    content = (resources.files("edge_runtime.outputs.web") / "static" / name).read_bytes()

    async def answer(request: Request) -> Response:
        return Response(content, headers={"Content-Type": content_type})

    return answer  # type: ignore[return-value]
