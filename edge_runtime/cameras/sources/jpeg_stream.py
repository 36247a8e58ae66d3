"""A camera that sends JPEG images one after another as bytes: the newest whole one is decoded, the others are dropped.

Where the bytes come from is the business of the camera; how they are cut into images, that of its splitter.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from typing import Protocol

from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.contract import InputSpec
from edge_runtime.errors import CameraError, DataError
from edge_runtime.pixels.jpeg import START, is_whole, jpeg_end
from edge_runtime.pixels.shrink import decode_camera_image
from edge_runtime.system.clock import monotonic_s

MAX_JPEG_BYTES = 32 * 1024 * 1024
# A camera that sends as fast as it can never lets the line run dry: after this long the newest image is taken.
DRAIN_S = 0.05


class Splitter(Protocol):
    """Cuts received bytes into parts; each should be one JPEG, and may be damaged."""

    def feed(self, content: bytes) -> None:
        """Appends received bytes; CameraError when a part outgrows all reason."""

    def next_part(self) -> bytes | None:
        """The next part, or None until more bytes are fed."""


class JpegSplitter:
    """Cuts a stream of bare JPEG images at their own start and end."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, content: bytes) -> None:
        """Appends received bytes; CameraError when there are MAX_JPEG_BYTES without a whole JPEG."""
        self._buffer += content
        if len(self._buffer) > MAX_JPEG_BYTES:
            raise CameraError(f"The camera sent {len(self._buffer)} bytes without a whole JPEG; it is broken.")

    def next_part(self) -> bytes | None:
        """The next JPEG; of one that is broken inside its headers, its first bytes."""
        start = self._buffer.find(START)
        end = jpeg_end(self._buffer, start) if start >= 0 else -1
        if end < 0:
            return None
        if end == 0:  # go on at the next image
            end = start + len(START)
        part = bytes(self._buffer[start:end])
        del self._buffer[:end]
        return part


class JpegStream(FrameSource):
    """Images that arrive faster than they are read are dropped undecoded, all but the newest."""

    live = True

    def __init__(self, name: str, splitter: Splitter, shrink_for: InputSpec | None) -> None:
        self.name, self._splitter, self._shrink_for = name, splitter, shrink_for
        self._received_s = monotonic_s()

    @abstractmethod
    def _receive(self, timeout_s: float) -> bool:
        """Hands what arrives within ``timeout_s`` to `_feed`; true when something did.

        Raises:
            CameraError: nothing can arrive any more.
        """

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        deadline_s = monotonic_s() + timeout_s
        while True:
            newest = self._newest_jpeg()
            frame = self._decode(*newest) if newest is not None else None
            if frame is not None:
                return frame
            now_s = monotonic_s()
            if now_s >= deadline_s:
                return None
            self._receive(deadline_s - now_s)

    def _feed(self, content: bytes) -> None:
        self._received_s = monotonic_s()
        self._splitter.feed(content)

    def _newest_jpeg(self) -> tuple[bytes, float] | None:
        """The newest whole JPEG that has arrived, and when its last byte did.

        Older whole ones count as captured, damaged ones as bad.
        """
        newest = None
        deadline_s = monotonic_s() + DRAIN_S
        while True:
            part = self._splitter.next_part()
            if part is None:
                if newest is None or monotonic_s() >= deadline_s or not self._receive(0.0):
                    return newest
            elif is_whole(part):
                self.num_captured += newest is not None
                newest = part, self._received_s
            else:
                self.num_bad += 1

    def _decode(self, content: bytes, received_s: float) -> Frame | None:
        try:
            pixels = decode_camera_image(content, f"an image of {self.name}", self._shrink_for)
        except DataError:
            self.num_bad += 1
            return None
        self.num_captured += 1
        return Frame(pixels, self.num_captured - 1, received_s, fingerprint=zlib.crc32(content))
