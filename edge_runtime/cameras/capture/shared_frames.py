"""The newest frame, shared between a capture process and its parent without locks or copies on the reading side.

Three slots in an anonymous memory file that vanishes with its last holder: one being written, the newest, and one being
read. The writer touches neither the newest slot nor the one that the reader has claimed. It publishes milliseconds
before it chooses its next slot, so it sees in time a claim that the reader has made and confirmed (`take` checks the
newest slot again).
"""

from __future__ import annotations

import fcntl
import mmap
import os

import numpy as np

from edge_runtime.cameras.frame import Frame
from edge_runtime.cameras.lookout import Skips
from edge_runtime.errors import CameraError
from edge_runtime.pixels.preprocess import Image

NUM_SLOTS = 3
HEADER_BYTES = 4096
# Untouched pages cost nothing, so this is a limit, not a size: 64 MiB hold a frame of 22 million pixels.
SLOT_BYTES = 64 * 1024 * 1024
TOTAL_BYTES = HEADER_BYTES + NUM_SLOTS * SLOT_BYTES
# Words of eight bytes: newest slot + 1, claimed slot + 1, captured, bad, dropped by the writer; then eight words per
# slot; then those of `Skips`, -1 for None.
_NEWEST, _CLAIMED, _CAPTURED, _BAD, _DROPPED = range(5)
_SEQ, _CAPTURED_NS, _HEIGHT, _WIDTH, _FINGERPRINT, _PUBLISHED = range(6)
_NUM_SKIPS_WORDS = 5


class SharedFrames:
    """One process calls `publish` and `count`, the other calls `take`; both hold the same file descriptor ``fd``."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._memory = mmap.mmap(fd, TOTAL_BYTES)
        words = np.frombuffer(self._memory, np.int64, HEADER_BYTES // 8)
        self._words = words[:8]
        self._slots = [words[8 * (slot + 1) : 8 * (slot + 2)] for slot in range(NUM_SLOTS)]
        self._skips = words[8 * (NUM_SLOTS + 1) :][:_NUM_SKIPS_WORDS]
        self._num_published = 0

    @classmethod
    def create(cls) -> SharedFrames:
        """New shared memory of fixed size; its descriptor is not inherited unless it is passed explicitly."""
        fd = os.memfd_create("edge-runtime-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, TOTAL_BYTES)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return cls(fd)

    @property
    def captured(self) -> int:
        """Frames captured by the writer so far, including those that it dropped itself."""
        return int(self._words[_CAPTURED])

    @property
    def bad(self) -> int:
        """Images that the writer could not decode."""
        return int(self._words[_BAD])

    @property
    def dropped(self) -> int:
        """Frames that the writer replaced by newer ones before anybody could take them."""
        return int(self._words[_DROPPED])

    @property
    def published(self) -> int:
        """Frames published so far."""
        slot = int(self._words[_NEWEST]) - 1
        return int(self._slots[slot][_PUBLISHED]) if 0 <= slot < NUM_SLOTS else 0

    @property
    def skips(self) -> Skips:
        """What the writer knows of frames that were deliberately not looked at."""
        skipped, arrived_ns, fingerprint, checked_ns, still_ns = (int(word) for word in self._skips)
        return Skips(
            skipped,
            None if arrived_ns <= 0 else arrived_ns / 1e9,
            None if fingerprint < 0 else fingerprint,
            checked_ns / 1e9,
            None if still_ns <= 0 else still_ns / 1e9,
        )

    @property
    def newest_seq(self) -> int:
        """The number of the newest frame, or -1."""
        slot = int(self._words[_NEWEST]) - 1
        return int(self._slots[slot][_SEQ]) if 0 <= slot < NUM_SLOTS else -1

    def publish(self, frame: Frame) -> None:
        """Makes ``frame`` the newest; CameraError if it is larger than a slot."""
        height, width, channels = frame.pixels.shape
        if height * width * channels > SLOT_BYTES:
            raise CameraError(
                f"The frame is {width}x{height} pixels; {SLOT_BYTES} bytes is the limit, choose a smaller size."
            )
        taken = {int(self._words[_NEWEST]) - 1, int(self._words[_CLAIMED]) - 1}
        slot = next(number for number in range(NUM_SLOTS) if number not in taken)
        np.copyto(self._pixels(slot, height, width), frame.pixels)
        fingerprint = -1 if frame.fingerprint is None else frame.fingerprint
        self._num_published += 1
        captured_ns = round(frame.captured_s * 1e9)
        self._slots[slot][:6] = frame.seq, captured_ns, height, width, fingerprint, self._num_published
        self._words[_NEWEST] = slot + 1

    def count(self, captured: int, bad: int, skips: Skips | None = None) -> None:
        """Tells the reader how many frames were captured before the next published one, how many images were bad, and
        what ``skips`` says about those captured.
        """
        skips = skips or Skips()
        self._words[_CAPTURED], self._words[_BAD] = captured, bad
        self._words[_DROPPED] = max(int(self._words[_DROPPED]), captured - self._num_published - skips.num)
        self._skips[:] = (
            skips.num,
            _to_ns(skips.arrived_s),
            -1 if skips.fingerprint is None else skips.fingerprint,
            _to_ns(skips.checked_s),
            _to_ns(skips.still_since_s),
        )

    def take(self, after_seq: int) -> Frame | None:
        """The newest frame if its number is above ``after_seq``, else None; its pixels stay untouched until the next
        `take`.
        """
        while True:
            newest = int(self._words[_NEWEST])
            if not 1 <= newest <= NUM_SLOTS or int(self._slots[newest - 1][_SEQ]) <= after_seq:
                return None
            self._words[_CLAIMED] = newest
            if int(self._words[_NEWEST]) != newest:
                continue
            seq, captured_ns, height, width, fingerprint = (int(word) for word in self._slots[newest - 1][:5])
            if height < 1 or width < 1 or height * width * 3 > SLOT_BYTES:
                raise CameraError(f"The capture process announced a frame of {width}x{height}, which is impossible.")
            pixels = self._pixels(newest - 1, height, width)
            pixels.flags.writeable = False
            return Frame(pixels, seq, captured_ns / 1e9, fingerprint=None if fingerprint < 0 else fingerprint)

    def close(self) -> None:
        """Closes the descriptor; the memory is freed with the last frame taken from it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _pixels(self, slot: int, height: int, width: int) -> Image:
        start = HEADER_BYTES + slot * SLOT_BYTES
        return np.frombuffer(self._memory, np.uint8, height * width * 3, start).reshape(height, width, 3)


def _to_ns(time_s: float | None) -> int:
    return -1 if time_s is None else round(time_s * 1e9)
