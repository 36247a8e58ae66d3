"""JPEG images over HTTP, read by a few lines of our own: the newest image, decoded no larger than the model needs.

It reads any answer in which JPEG images come one behind the other, whatever type and boundary it announces. What it
does not speak (digest passwords, redirections, video) it leaves to FFmpeg.
"""

from __future__ import annotations

import contextlib

from edge_runtime.cameras.sources.http_answer import CHUNK_BYTES, REMEDIES, Dechunker, HttpAnswer, connect, send_request
from edge_runtime.cameras.sources.jpeg_stream import JpegStream
from edge_runtime.cameras.sources.splitter import JpegSplitter
from edge_runtime.contract import InputSpec
from edge_runtime.errors import CameraError
from edge_runtime.pixels.jpeg import START
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.redact import redact

TIMEOUT_S = 4.0
# How much of a body of unknown type is looked at for a JPEG.
SNIFFED_BYTES = 2048


class NotJpegStreamError(CameraError):
    """The server answers, but not with JPEG images that this reader understands; FFmpeg may know better."""


class MjpegCamera(JpegStream):
    """One HTTP connection to a camera that sends JPEG images.

    Raises:
        CameraError: it cannot be reached or refuses, with its answer.
        NotJpegStreamError: it answers with something that FFmpeg should try.
    """

    def __init__(self, address: str, shrink_for: InputSpec | None = None) -> None:
        name = redact(address)
        self._socket = connect(address, name, TIMEOUT_S)
        try:
            answer = send_request(self._socket, address, name, TIMEOUT_S)
            _refuse(answer, name)
            self._dechunker = Dechunker(name) if answer.is_chunked else None
            super().__init__(name, JpegSplitter(answer.boundary), shrink_for)
            self._heard_s = monotonic_s()
            self._feed_body(self._sniffed(answer))
        except BaseException:  # whatever it was, nobody else can close the socket of an object that never was
            self._socket.close()
            raise

    def close(self) -> None:
        super().close()
        self._socket.close()

    def _receive(self, timeout_s: float) -> bool:
        self._socket.settimeout(min(timeout_s, TIMEOUT_S))
        try:
            content = self._socket.recv(CHUNK_BYTES)
        except (TimeoutError, BlockingIOError):
            if monotonic_s() - self._heard_s > TIMEOUT_S:
                raise CameraError(f"{self.name} sent nothing for {TIMEOUT_S:g} s; check the camera.") from None
            return False
        except OSError as error:
            if type(error).__name__ == "SSLWantReadError":  # half a TLS record; ssl is imported only for https
                return False
            raise CameraError(f"{self.name} broke the connection: {error.strerror or error}.") from error
        if not content:
            raise CameraError(f"{self.name} closed its stream; the camera may be restarting.")
        self._heard_s = monotonic_s()
        self._feed_body(content)
        return True

    def _feed_body(self, content: bytes) -> None:
        self._feed(self._dechunker.feed(content) if self._dechunker is not None else content)

    def _sniffed(self, answer: HttpAnswer) -> bytes:
        """The first bytes of the body; of an unannounced type, enough of them to see that JPEG images come."""
        content = answer.rest
        if answer.kind.startswith("multipart/"):
            return content
        while START + b"\xff" not in content and len(content) < SNIFFED_BYTES:
            more = b""
            with contextlib.suppress(OSError):  # silence, for as long as the answer may take
                more = self._socket.recv(CHUNK_BYTES)
            if not more:
                break
            content += more
        if START + b"\xff" not in content[: SNIFFED_BYTES + CHUNK_BYTES]:
            raise NotJpegStreamError(
                f"{self.name} answered {answer.status} with {answer.kind or 'no type'}, expected JPEG images."
            )
        return content


def _refuse(answer: HttpAnswer, name: str) -> None:
    """Raises for an answer that holds no images: what the camera said, and what to do."""
    if answer.status == "401" and answer.headers.get("www-authenticate", "").lower().startswith("digest"):
        raise NotJpegStreamError(f"{name} answered 401, it asks for a digest of the password.")
    if answer.status.startswith("3"):
        raise NotJpegStreamError(f"{name} answered {answer.status}, it sends us to another address.")
    if answer.status != "200":
        remedy = REMEDIES.get(answer.status, "check the address")
        raise CameraError(f"{name} answered {answer.status} {answer.reason}, expected 200; {remedy}.")
    if answer.kind in ("text/html", "application/xhtml+xml", "application/json", "text/xml", "application/xml"):
        raise CameraError(
            f"{name} answered with a page ({answer.kind}), expected images; use the address of the stream itself, "
            "which the camera's manual names."
        )
