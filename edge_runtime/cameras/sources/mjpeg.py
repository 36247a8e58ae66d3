"""JPEG images over HTTP, read without FFmpeg: the newest image, decoded no larger than the model needs.

It reads any answer that consists of JPEG images one after another, whatever type and boundary it announces, and keeps
requesting an address whose answers hold a single image. What it does not support (digest passwords, video) it leaves to
FFmpeg.
"""

from __future__ import annotations

import contextlib
import socket
import time

from edge_runtime.cameras.options import CameraOptions
from edge_runtime.cameras.sources.http_answer import CHUNK_BYTES, Dechunker, HttpAnswer, connect, send_request
from edge_runtime.cameras.sources.http_refusal import NotJpegStreamError, check_answer, follow, refuse_body
from edge_runtime.cameras.sources.jpeg_stream import JpegStream
from edge_runtime.cameras.sources.opencv.playlist import SNIFFED_BYTES
from edge_runtime.cameras.sources.splitter import JpegSplitter
from edge_runtime.contract import InputSpec
from edge_runtime.errors import CameraError
from edge_runtime.pixels.jpeg import END, START
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.redact import redact

TIMEOUT_S = 4.0
# How often to request an address that gives one image at a time.
SNAPSHOT_S = 1.0
# How many times a camera may redirect.
MAX_REDIRECTS = 5


class MjpegCamera(JpegStream):
    """One HTTP connection to a camera that streams JPEG images, or a new one for each image of a camera that sends
    snapshots.

    Raises:
        CameraError: it cannot be reached or refuses, with its answer.
        NotJpegStreamError: it answers with something that FFmpeg should try.
    """

    def __init__(self, address: str, shrink_for: InputSpec | None = None, options: CameraOptions | None = None) -> None:
        options = options or CameraOptions()
        super().__init__(redact(address), JpegSplitter(), shrink_for, options.expect_fps)
        self._address, self._camera_ca = address, options.camera_ca
        self._snapshot_s = 1.0 / options.expect_fps if options.expect_fps else SNAPSHOT_S
        self._is_snapshot = False
        self._socket: socket.socket | None = None
        self._open()

    def close(self) -> None:
        super().close()
        self._hang_up()

    def _open(self) -> None:
        self._asked_s = monotonic_s()
        address = self._address
        for _ in range(MAX_REDIRECTS):
            try:
                answer = self._ask(address)
                if not answer.redirect:
                    self._listen_to(answer)
                    return
                address = follow(address, answer, self.name)
                self._hang_up()
            except BaseException as error:  # if __init__ fails, nobody else can close the socket
                self._hang_up()
                if isinstance(error, NotJpegStreamError):
                    error.address = address
                raise
        raise CameraError(
            f"{self.name} redirects us from address to address, {MAX_REDIRECTS} times; check the address."
        )

    def _ask(self, address: str) -> HttpAnswer:
        timeout_s = self._pace.limit_s(TIMEOUT_S, 0.0)
        self._socket = connect(address, redact(address), timeout_s, self._camera_ca)
        answer = send_request(self._socket, address, self.name, timeout_s)
        check_answer(answer, self.name)
        return answer

    def _listen_to(self, answer: HttpAnswer) -> None:
        self._dechunker = Dechunker(self.name) if answer.is_chunked else None
        self._splitter, self._num_parts = JpegSplitter(answer.boundary), 0
        self._length = answer.length if answer.kind.startswith("image/") else None
        self._first_byte, self._is_multipart = self._num_bytes, answer.kind.startswith("multipart/")
        self._heard_s = monotonic_s()
        self._backlog.restart(self._heard_s)
        self._feed_body(self._sniffed(answer))

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self, timeout_s: float) -> bool:
        if self._socket is None:
            return self._ask_again(timeout_s)
        if self._length is not None and self._num_parts and self._num_bytes - self._first_byte >= self._length:
            return self._end()
        self._socket.settimeout(min(timeout_s, TIMEOUT_S))
        try:
            content = self._socket.recv(CHUNK_BYTES)
        except (TimeoutError, BlockingIOError):
            limit_s = self._pace.limit_s(TIMEOUT_S)
            if monotonic_s() - self._heard_s > limit_s:
                raise CameraError(f"{self.name} sent nothing for {limit_s:.3g} s; check the camera.") from None
            return False
        except OSError as error:
            if type(error).__name__ == "SSLWantReadError":  # half a TLS record; ssl is imported only for https
                return False
            raise CameraError(f"{self.name} broke the connection: {error.strerror or error}.") from error
        if not content:
            return self._end()
        self._heard_s = monotonic_s()
        self._feed_body(content)
        return True

    def _end(self) -> bool:
        """The answer has ended. If it held a single image it was a snapshot: it is requested again when due."""
        if self._num_parts == 0 and self._splitter.is_begun:  # an image without an end marker
            self._feed(END)
            return True
        if self._num_parts != 1 or self._is_multipart:
            raise CameraError(f"{self.name} closed its stream; the camera may be restarting.")
        self._is_snapshot = True
        self._hang_up()
        return False

    def _ask_again(self, timeout_s: float) -> bool:
        wait_s = self._asked_s + self._snapshot_s - monotonic_s()
        time.sleep(max(0.0, min(wait_s, timeout_s)))
        if wait_s > timeout_s or not timeout_s:
            return False
        self._open()
        return True

    def _fingerprint(self, content: bytes) -> int:
        """As for any stream, except for snapshots: each gets another one, as an unchanged one is no sign of a frozen
        camera.
        """
        return self.num_captured if self._is_snapshot else super()._fingerprint(content)

    def _feed_body(self, content: bytes) -> None:
        self._feed(self._dechunker.feed(content) if self._dechunker is not None else content)

    def _sniffed(self, answer: HttpAnswer) -> bytes:
        """The first bytes of the body; unless it announces multipart, enough of them to see that JPEG images come."""
        content = answer.rest
        if answer.kind.startswith("multipart/"):
            return content
        most = SNIFFED_BYTES if answer.length is None else min(SNIFFED_BYTES, answer.length)
        while START + b"\xff" not in content and len(content) < most:
            more = b""
            with contextlib.suppress(OSError):  # nothing more within the time that an answer may take
                more = self._socket.recv(CHUNK_BYTES) if self._socket is not None else b""
            if not more:
                break
            content += more
        if START + b"\xff" not in content[: SNIFFED_BYTES + CHUNK_BYTES]:
            raise refuse_body(content, answer, self.name)
        return content
