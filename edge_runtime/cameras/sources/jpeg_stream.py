"""A camera that sends JPEG images one after another as bytes: the newest whole one is decoded, the others are dropped.

The subclass supplies the bytes, `splitter` splits them into images, and `backlog` knows which of them have been
waiting.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod

from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.cameras.lookout import Lookout
from edge_runtime.cameras.pace import Pace
from edge_runtime.cameras.sources.backlog import Backlog
from edge_runtime.cameras.sources.splitter import JpegSplitter
from edge_runtime.contract import InputSpec, Region
from edge_runtime.errors import CameraError, DataError
from edge_runtime.pixels.jpeg import cut_out, is_whole
from edge_runtime.pixels.jpeg_damage import Shifts
from edge_runtime.pixels.motion import Cells, read_jpeg_cells
from edge_runtime.pixels.shrink import decode_camera_image
from edge_runtime.system.clock import monotonic_s

# A camera that sends as fast as it can never lets the connection run dry: after this long the newest image is taken.
DRAIN_S = 0.05
# The longest wait for bytes, so that a process that was stopped in between can be told from one that waited.
WAIT_S = 0.1


class JpegStream(FrameSource):
    """Drops images undecoded if they arrive faster than they are read, all but the newest, and those that waited while
    nobody read, which are older than they look.
    """

    live = True
    asks_lookout = True

    def __init__(
        self, name: str, splitter: JpegSplitter, shrink_for: InputSpec | None, expect_fps: float | None = None
    ) -> None:
        self.name, self._splitter, self._shrink_for = name, splitter, shrink_for
        self._received_s = monotonic_s()
        self._sends_ends, self._shifts = False, Shifts()
        self._pace, self._backlog = Pace(expect_fps), Backlog(self._received_s)
        self._num_parts = self._num_bytes = 0

    @abstractmethod
    def _receive(self, timeout_s: float) -> bool:
        """Hands what arrives within ``timeout_s`` to `_feed`; True if something did.

        Raises:
            CameraError: nothing can arrive any more.
        """

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        deadline_s = monotonic_s() + timeout_s
        while True:
            newest = self._newest_jpeg()
            frame = self._decode(*newest) if newest is not None else None
            if newest is not None:
                self._pace.add(self.num_captured, newest[1])
            if frame is not None:
                return frame
            now_s = monotonic_s()
            if now_s >= deadline_s:
                return None
            self._listen(min(deadline_s - now_s, WAIT_S))

    def _listen(self, timeout_s: float) -> bool:
        """As `_receive`, and tells the backlog about it."""
        before_s, is_begun, num_bytes = monotonic_s(), self._splitter.is_begun, self._num_bytes
        self._backlog.look(before_s)
        wait_s = self._backlog.choose_wait_s(timeout_s, self._pace.interval_s)
        came = self._receive(wait_s)
        self._backlog.look(monotonic_s())
        self._backlog.receive(self._num_bytes - num_bytes, wait_s, is_begun=is_begun)
        return came

    def _feed(self, content: bytes) -> None:
        self._received_s = monotonic_s()
        self._num_bytes += len(content)
        self._splitter.feed(content)

    def _newest_jpeg(self) -> tuple[bytes, float] | None:
        """The newest whole JPEG that has arrived, and when its last byte arrived.

        Older whole images count as captured, damaged ones as bad.
        """
        newest = None
        deadline_s = monotonic_s() + DRAIN_S
        while True:
            part = self._splitter.next_part()
            if part is None:
                if newest is None or monotonic_s() >= deadline_s or not self._more():
                    return newest
                continue
            self._num_parts += 1
            if is_whole(part):
                self._sends_ends = True
            elif self._sends_ends or not (part := cut_out(part)):
                self.num_bad += 1
                continue
            if self._backlog.take_old():
                self.num_captured += 1
                continue
            # Some cameras never send an end marker; whether more is missing shows when the image is decoded.
            self.num_captured += newest is not None
            newest = part, self._received_s

    def _more(self) -> bool:
        try:
            return self._listen(0.0)
        except CameraError:  # the image in hand is still good; the next read raises again
            return False

    def _decode(self, content: bytes, received_s: float) -> Frame | None:
        is_looked_at = self.lookout is None
        try:
            is_looked_at = self.lookout is None or self._is_wanted(self.lookout, content, received_s)
            if not is_looked_at:
                self.num_captured += 1
                return None
            pixels = decode_camera_image(content, f"an image of {self.name}", self._shrink_for, self._shifts)
        except DataError:
            self.num_bad += 1
            if is_looked_at:  # a look is still due
                self.look_again()
            return None
        self.num_captured += 1
        return Frame(pixels, self.num_captured - 1, received_s, fingerprint=self._fingerprint(content))

    def _is_wanted(self, lookout: Lookout, content: bytes, received_s: float) -> bool:
        def read_cells(region: Region | None) -> Cells:
            return read_jpeg_cells(content, f"an image of {self.name}", region)

        return lookout.wants(received_s, self._fingerprint(content), read_cells)

    def _fingerprint(self, content: bytes) -> int:
        return zlib.crc32(content)
