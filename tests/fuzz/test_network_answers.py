"""Whatever a camera answers, it is understood or refused in words."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.cameras.redirects import ForbiddenRedirectError, RedirectRewriter
from edge_runtime.cameras.sources.http_answer import Dechunker, send_request
from tests.fuzz import corpus
from tests.fuzz.claim import fuzzed, parsed
from tests.fuzz.mutations import spoiled


class Connection:
    """A camera that sends ``content`` in pieces of ``size`` bytes and closes."""

    def __init__(self, content: bytes, size: int) -> None:
        self.pieces = [content[place : place + size] for place in range(0, len(content), size)]

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def sendall(self, content: bytes) -> None:
        assert content.endswith(b"\r\n\r\n")

    def recv(self, size: int) -> bytes:
        return self.pieces.pop(0)[:size] if self.pieces else b""


@fuzzed(120)
@given(spoiled([*corpus.HTTP_ANSWERS, b"\r\n\r\n", b" \n\n"]), st.sampled_from((1000, 100_000)))
def test_the_head_of_an_http_answer(content: bytes, size: int) -> None:
    answer = parsed(send_request, Connection(content, size), "http://user:secret@cam/live?key=value", "the camera", 1.0)
    if answer is not None:
        assert "secret" not in answer.reason
        assert answer.length is None or answer.length >= 0
        assert isinstance(answer.kind + answer.boundary, str)
        assert answer.is_chunked in (True, False)


@fuzzed(80)
@given(spoiled(corpus.CHUNKS), st.integers(1, 4))
def test_chunks(content: bytes, num_pieces: int) -> None:
    def feed() -> int:
        chunks, step = Dechunker("the camera"), max(1, len(content) // num_pieces)
        return sum(len(chunks.feed(content[place : place + step])) for place in range(0, len(content), step))

    assert (parsed(feed) or 0) <= len(content)


@fuzzed(120)
@given(spoiled(corpus.RTSP_ANSWERS), st.integers(1, 40))
def test_where_an_rtsp_answer_leads(content: bytes, size: int) -> None:
    rewriter, passed = RedirectRewriter(lambda where: b"rtsp://here/", is_rtsp=True), b""
    try:
        for place in range(0, len(content), size):
            passed += rewriter.pass_on(content[place : place + size])
    except ForbiddenRedirectError:
        pass
    lines = passed.replace(b"\r", b"").split(b"\n")  # as FFmpeg reads them
    led = [line for line in lines if line[:9].lower() == b"location:"]
    assert all(re.fullmatch(rb"Location: (rtsp://here/)?", line) for line in led)
    assert not [line for line in lines if line.startswith(b"$")]
