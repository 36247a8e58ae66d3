"""The routes of the sorting page: what is left to sort, thumbnails and frames, labels, undo, the browser's camera."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from edge_runtime.errors import EdgeRuntimeError, UsageError
from edge_runtime.outputs.web.config import WebConfig
from train.sort.guard import SortGuard
from train.sort.session import Labelled, Session, make_page_object

STATIC = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/tiles.js": ("tiles.js", "text/javascript; charset=utf-8"),
    "/server.js": ("server.js", "text/javascript; charset=utf-8"),
    "/capture.js": ("capture.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
NO_STORE = {"Cache-Control": "no-store"}
# A thumbnail's number means the same frame for as long as its address, which has the token, is valid.
KEEP = {"Cache-Control": "private, max-age=86400, immutable"}

Answer = Callable[[Request], Awaitable[Response]]


def build_app(config: WebConfig, session: Session, token: str, *, capture: bool) -> ASGIApp:
    """The guarded application below ``/token/``; with ``capture`` the page opens the browser's camera."""

    async def page(request: Request) -> Response:
        value = await run_in_threadpool(make_page_object, session)
        return JSONResponse({**value, "capture": capture}, headers=NO_STORE)

    async def thumb(request: Request) -> Response:
        content = session.thumbnail(request.path_params["number"])
        return Response(content, media_type="image/jpeg", headers=KEEP) if content else _gone()

    async def frame(request: Request) -> Response:
        number = request.path_params["number"]
        session.thumbnail(number)  # raises where there is no such frame
        path = session.frames[number].path
        return FileResponse(path, headers=NO_STORE) if path.is_file() else _gone()

    async def label(request: Request) -> Response:
        steps = _steps(await request.body())
        await run_in_threadpool(session.put, steps)
        return JSONResponse({"counts": await run_in_threadpool(session.counts)}, headers=NO_STORE)

    async def undo(request: Request) -> Response:
        frames = await run_in_threadpool(session.undo)
        counts = await run_in_threadpool(session.counts)
        return JSONResponse({"frames": frames, "counts": counts}, headers=NO_STORE)

    async def capture_image(request: Request) -> Response:
        query = request.query_params
        content = await request.body()
        is_new = await run_in_threadpool(session.capture, content, query.get("label", ""), query.get("burst", ""))
        return JSONResponse({"new": is_new, "counts": await run_in_threadpool(session.counts)}, headers=NO_STORE)

    routes = [Route(path, _static(name, kind)) for path, (name, kind) in STATIC.items()]
    routes += [
        Route("/api/page", _told(page)),
        Route("/thumb/{number:int}.jpg", _told(thumb)),
        Route("/frame/{number:int}", _told(frame)),
        Route("/api/label", _told(label), methods=["POST"]),
        Route("/api/undo", _told(undo), methods=["POST"]),
    ]
    if capture:
        routes.append(Route("/api/capture", _told(capture_image), methods=["POST"]))
    return SortGuard(Starlette(routes=routes), config, token)


def _steps(body: bytes) -> list[Labelled]:
    """What a page asks for: ``[{"frames": [1, 2], "label": "mug"}, ...]``. Raises UsageError."""
    try:
        value: Any = json.loads(body)
        steps = [Labelled(tuple(item["frames"]), item["label"]) for item in value]
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"The request is {body[:80]!r}, expected a list of frames and labels in JSON.") from error
    for step in steps:
        if not isinstance(step.label, str) or not all(type(number) is int for number in step.frames):
            raise UsageError(f"The request has {step}, expected numbers of frames and a label.")
    return steps


def _told(answer: Answer) -> Answer:
    """``answer``, with our errors as 400 (what was asked) or 500 (what happened) and their sentence."""

    async def told(request: Request) -> Response:
        try:
            return await answer(request)
        except UsageError as error:
            return PlainTextResponse(f"{error}\n", 400, NO_STORE)
        except (EdgeRuntimeError, OSError) as error:
            return PlainTextResponse(f"{error}\n", 500, NO_STORE)

    return told


def _gone() -> Response:
    return PlainTextResponse("The frame's file is gone.\n", 404, NO_STORE)


def _static(name: str, content_type: str) -> Answer:
    content = (resources.files("train.sort") / "static" / name).read_bytes()

    async def answer(request: Request) -> Response:
        return Response(content, headers={"Content-Type": content_type, **NO_STORE})

    return answer
