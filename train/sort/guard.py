"""Guards every route of the sorting page: only this machine's browser, with the address that was printed.

Anyone with the token may change class folders, so no other web site may learn it or have a request sent with it.
"""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_runtime.outputs.web.config import WebConfig
from edge_runtime.outputs.web.guard import HEADERS

METHODS = ("GET", "HEAD", "POST")
MAX_BODY_BYTES = 32_000_000
# The live page's headers; the page's own camera may be used, nothing else of the machine.
OWN_HEADERS = (
    *(header for header in HEADERS if header[0] != b"permissions-policy"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
)


class SortGuard:
    """Wraps an ASGI application that lives below ``/token/``; refuses with 421, 405, 404, 403 or 413."""

    def __init__(self, app: ASGIApp, config: WebConfig, token: str) -> None:
        self._app, self._config, self._token = app, config, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *OWN_HEADERS]}
            await send(message)

        rejection = self._reject(scope)
        if rejection is None:
            path = scope["path"][len(self._token) + 1 :]
            await self._app({**scope, "path": path, "raw_path": path.encode()}, receive, send_guarded)
        else:
            await rejection(scope, receive, send_guarded)

    def _reject(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._config.allows_host(hosts[0]):
            return PlainTextResponse("This server answers only to localhost.\n", 421)
        if scope["method"] not in METHODS:
            return PlainTextResponse("Only GET, HEAD and POST are answered.\n", 405, {"Allow": ", ".join(METHODS)})
        token = scope["path"].split("/")[1] if "/" in scope["path"] else ""
        if not hmac.compare_digest(token.encode(), self._token.encode()) or scope["path"].count("/") < 2:
            return PlainTextResponse("Open the address that python -m train.sort printed.\n", 404)
        if scope["method"] == "POST":
            # Browsers say which site asks: a form or script of another site must change nothing here.
            if headers.get("sec-fetch-site", "same-origin") != "same-origin" or not self._is_own(headers):
                return PlainTextResponse("Only the sorting page itself may change anything.\n", 403)
            length = headers.get("content-length", "")
            if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
                return PlainTextResponse(f"Expected a body of at most {MAX_BODY_BYTES} bytes.\n", 413)
        return None

    @staticmethod
    def _is_own(headers: Headers) -> bool:
        origin = headers.get("origin")
        return origin is None or origin == f"http://{headers['host']}"
