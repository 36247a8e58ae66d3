"""The sorting page's server: only this machine's page with the token may look or change anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("starlette")

from edge_runtime.outputs.web.config import WebConfig
from train.sort.app import build_app
from train.sort.class_folders import ClassFolders
from train.sort.guard import MAX_BODY_BYTES
from train.sort.index import ImageIndex
from train.sort.session import Session

TOKEN = "t" * 32


class Answer:
    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.status = int(messages[0]["status"])
        self.headers = {key.decode(): value.decode() for key, value in messages[0]["headers"]}
        self.body = b"".join(message.get("body", b"") for message in messages[1:])


class Client:
    """Asks an ASGI application without a network."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        import asyncio

        own = {key.replace("_", "-"): value for key, value in headers.items()}
        given = {"host": "127.0.0.1:8090", "content-length": str(len(body)), **own}
        path, _, query = path.partition("?")
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": [(key.encode(), value.encode()) for key, value in given.items()], "root_path": "",
            "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 8090),
        }  # fmt: skip
        sent: list[dict[str, Any]] = []
        asked: list[bool] = []

        async def receive() -> dict[str, Any]:
            if asked:  # nobody goes away before the answer
                await asyncio.Event().wait()
            asked.append(True)
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        return Answer(sent)


@pytest.fixture
def ask(tmp_path: Path, save_frames: Callable[..., dict[str, str]]) -> Iterator[Client]:
    save_frames(tmp_path / "frames", [("mug", "mug", 0.9)], num=2)
    index = ImageIndex(tmp_path / "index.db")
    folders = ClassFolders(tmp_path / "photos", index)
    session = Session(tmp_path / "frames", folders, index, ["mug"])
    yield Client(build_app(WebConfig("127.0.0.1", 8090), session, TOKEN, capture=True))
    folders.close()
    index.close()


def label(ask: Client, value: object, **headers: str) -> Answer:
    return ask("POST", f"/{TOKEN}/api/label", json.dumps(value).encode(), **headers)


STEP = [{"frames": [0], "label": "mug"}]


def test_the_page_and_its_parts_come_with_strict_headers(ask: Client) -> None:
    for path in (
        "",
        "page.js",
        "tiles.js",
        "server.js",
        "capture.js",
        "style.css",
        "icon.svg",
        "api/page",
        "thumb/0.jpg",
        "frame/1",
    ):
        answer = ask("GET", f"/{TOKEN}/{path}")
        assert answer.status == 200 and answer.body, path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["permissions-policy"].startswith("camera=(self)")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_labels_and_undo_change_the_folders(ask: Client, tmp_path: Path) -> None:
    assert json.loads(label(ask, STEP).body) == {"counts": {"mug": 1}}
    assert len(list((tmp_path / "photos" / "mug").iterdir())) == 1
    assert json.loads(ask("POST", f"/{TOKEN}/api/undo").body) == {"frames": [0], "counts": {}}


def test_a_captured_image_goes_into_its_class(ask: Client, tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    answer = ask("POST", f"/{TOKEN}/api/capture?label=a%20pen&burst=1", jpeg)
    assert json.loads(answer.body) == {"new": True, "counts": {"a pen": 1}}


@pytest.mark.parametrize("path", ["/", "/api/page", f"/{'x' * 32}/api/page", f"/{TOKEN}", f"//{TOKEN}/", ""])
def test_without_the_token_there_is_nothing(ask: Client, path: str) -> None:
    answer = ask("GET", path)
    assert (answer.status, answer.body) == (404, b"Open the address that python -m train.sort printed.\n")


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"host": "evil.example:8090"}, 421, "only to localhost"),
        ({"origin": "http://evil.example"}, 403, "Only the sorting page itself"),
        ({"origin": "null"}, 403, "Only the sorting page itself"),
        ({"sec_fetch_site": "cross-site"}, 403, "Only the sorting page itself"),
        ({"sec_fetch_site": "none"}, 403, "Only the sorting page itself"),
        ({"content_length": str(MAX_BODY_BYTES + 1)}, 413, "at most 32000000 bytes"),
        ({"content_length": ""}, 413, "at most 32000000 bytes"),
    ],
)
def test_other_sites_change_nothing(
    ask: Client, tmp_path: Path, headers: dict[str, str], status: int, words: str
) -> None:
    answer = label(ask, STEP, **headers)
    assert answer.status == status and words in answer.body.decode()
    assert list((tmp_path / "photos").glob("mug/*")) == []


def test_other_methods_are_refused(ask: Client) -> None:
    assert ask("DELETE", f"/{TOKEN}/api/page").body == b"Only GET, HEAD and POST are answered.\n"
    assert ask("GET", f"/{TOKEN}/api/undo").status == 405


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": 1}, "expected a list of frames and labels in JSON"),
        ([{"frames": 3, "label": "mug"}], "expected a list of frames and labels in JSON"),
        ([{"frames": [True], "label": "mug"}], "expected numbers of frames and a label"),
        ([{"frames": [0], "label": None}], "expected numbers of frames and a label"),
        ([{"frames": [7], "label": "mug"}], "There is no frame 7; expected 0 to 1"),
        ([{"frames": [0], "label": "../mug"}], "expected a valid folder name"),
    ],
)
def test_what_cannot_be_meant_is_told(ask: Client, value: object, words: str) -> None:
    answer = label(ask, value)
    assert answer.status == 400 and words in answer.body.decode()


def test_a_frame_whose_file_is_gone_is_told(ask: Client, tmp_path: Path) -> None:
    for file in (tmp_path / "frames").glob("*.jpg"):
        file.unlink()
    assert ask("GET", f"/{TOKEN}/frame/0").status == 404
    answer = label(ask, STEP)
    assert answer.status == 500 and "cannot be read" in answer.body.decode()
    assert ask("GET", f"/{TOKEN}/thumb/9.jpg").status == 400
