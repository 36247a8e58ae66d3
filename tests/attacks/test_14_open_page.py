"""Attack 14: look at the camera, or use its page from another web site, without the token. Stopped by a guard before
every route, and by no address but this machine's own without a token.
"""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from edge_runtime.errors import ConfigurationError
from edge_runtime.outputs.web.config import WebConfig

guard = pytest.importorskip("edge_runtime.outputs.web.guard")
TOKEN = "a" * 32
HOST = (b"host", b"192.168.1.5:8080")


def answer(config: WebConfig, method: str, *headers: tuple[bytes, bytes]) -> tuple[int, dict[bytes, bytes]]:
    """Status and headers of what the guarded page answers to a request."""
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"the camera"})

    async def keep(message: dict[str, Any]) -> None:
        sent.append(message)

    async def ask() -> None:
        scope = {"type": "http", "method": method, "path": "/", "headers": list(headers), "query_string": b""}
        await guard.Guard(app, config)(scope, None, keep)

    asyncio.run(ask())
    return sent[0]["status"], dict(sent[0]["headers"])


@pytest.fixture
def page() -> WebConfig:
    return WebConfig("192.168.1.5", 8080, TOKEN)


def bearer(token: str) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {token}".encode()


def basic(login: bytes) -> tuple[bytes, bytes]:
    return b"authorization", b"Basic " + base64.b64encode(login)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "camera.local"])
def test_no_address_that_others_can_reach_without_a_token(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"where other machines can reach it, without a token"):
        WebConfig(host, 8080)


@pytest.mark.parametrize(
    "login",
    [
        (),
        (bearer(""),),
        (bearer("a" * 31),),
        (bearer(TOKEN + "a"),),
        (bearer(TOKEN.upper()),),
        (basic(b"me:wrong"),),
        (basic(TOKEN.encode()),),
        ((b"authorization", b"Basic \xff\xfe"),),
        ((b"cookie", b"token=" + TOKEN.encode()),),
    ],
)
def test_whoever_lacks_the_token_sees_nothing(page: WebConfig, login: tuple[tuple[bytes, bytes], ...]) -> None:
    assert answer(page, "GET", HOST, *login)[0] == 401


def test_whoever_has_it_does_and_no_browser_may_do_more_with_it(page: WebConfig) -> None:
    for login in (bearer(TOKEN), basic(b"anybody:" + TOKEN.encode())):
        status, headers = answer(page, "GET", HOST, login)
        assert status == 200
        assert b"default-src 'none'" in headers[b"content-security-policy"]
        assert (headers[b"x-frame-options"], headers[b"cache-control"]) == (b"DENY", b"no-store")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", ((b"host", b"evil.example"),), 421),  # a name that was made to lead here
        ("GET", (), 421),
        ("GET", (HOST, HOST), 421),
        ("POST", (HOST,), 405),
        ("DELETE", (HOST,), 405),
        ("GET", (HOST, (b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", b"no-cors")), 403),
        ("GET", (HOST, (b"sec-fetch-site", b"same-site"), (b"sec-fetch-mode", b"cors")), 403),
    ],
)
def test_other_names_methods_and_sites_are_refused_with_the_token_too(
    page: WebConfig, method: str, headers: tuple[tuple[bytes, bytes], ...], status: int
) -> None:
    assert answer(page, method, *headers, bearer(TOKEN))[0] == status
