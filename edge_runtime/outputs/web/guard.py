"""Guards every route: who may ask, how, and what a browser may do with the answer.

A web site that the viewer visits must learn nothing and use up nothing here, and a name shown on the page must never
become markup.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_runtime.outputs.web.config import WebConfig

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class Guard:
    """Wraps an ASGI application; refuses with 421, 405, 403 or 401 before the application sees the request."""

    def __init__(self, app: ASGIApp, config: WebConfig) -> None:
        self._app, self._config = app, config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(key, value) for key, value in message.get("headers", ()) if key.lower() != b"cache-control"]
                message = {**message, "headers": [*own, *HEADERS, (b"cache-control", b"no-store")]}
            await send(message)

        rejection = self._reject(scope)
        await (self._app if rejection is None else rejection)(scope, receive, send_guarded)

    def _reject(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._config.allows_host(hosts[0]):
            return PlainTextResponse(
                "This server does not answer to that host name; whoever runs it can allow the name.\n", 421
            )
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("Only GET and HEAD are answered.\n", 405, {"Allow": "GET, HEAD"})
        # Browsers say which site asks; another site's page may link here but not embed anything of ours.
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and headers.get("sec-fetch-mode") != "navigate":
            return PlainTextResponse("Other sites may not embed this.\n", 403)
        if self._config.token is not None and not _same(_offered_token(headers), self._config.token):
            challenge = {"WWW-Authenticate": 'Basic realm="edge-runtime: any user name, the token as password"'}
            return PlainTextResponse("A token is needed: as bearer token or as password.\n", 401, challenge)
        return None


def _offered_token(headers: Headers) -> str:
    """The token of ``Authorization: Bearer TOKEN`` or the password of a basic login."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except ValueError:  # not base64, not UTF-8, or bytes that are not even ASCII
            return ""
    return ""


def _same(offered: str, token: str) -> bool:
    """Compares in constant time, whatever the lengths."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (offered, token)]
    return hmac.compare_digest(*digests)
