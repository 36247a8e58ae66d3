"""The process that holds the camera: opens it, reads it, publishes the newest frame, and tries again after a failure.

Everything that may block for ever, crash on a hostile image or leak memory runs here, where it can be killed. The first
line of JSON on stdin says what to do; each later line says what has changed: the model input that images are for, where
movement counts, or that the next frame is wanted. It reports in lines of JSON on stdout: ``{"state": "opening" | "open"
| "camera" | "trouble" | "ended", "text": ...}``, where "camera" says which camera a device number referred to when it
was first opened. It never outlives its parent.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from edge_runtime.cameras.capture.orders import Order, read_region, read_spec
from edge_runtime.cameras.capture.shared_frames import SharedFrames
from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.cameras.lookout import Lookout
from edge_runtime.cameras.sources.opening import open_source
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.pixels.motion import read_cells
from edge_runtime.pixels.opencv import cv2
from edge_runtime.system.backoff import Backoff
from edge_runtime.system.parent_death import die_with

READ_S = 0.5
# How often the parent is told that frames still come although none is looked at.
RESTING_READ_S = 0.2
FIRST_RETRY_S, RETRY_CAP_S = 0.5, 2.0


class _Orders:
    """The parent's current orders: a thread listens for them while the main thread waits for the camera.

    It reads the descriptor directly: a thread blocked in Python's own stdin would hold a lock that is needed at exit.
    """

    def __init__(self, order: Order, lines: Iterator[bytes]) -> None:
        self.spec = order.shrink_for
        self._look, self._region = order.options.look, order.region
        self._num_skipped = 0
        self._lines = lines
        self._source: FrameSource | None = None
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def now_by(self, source: FrameSource) -> None:
        """``source`` is now the open camera; orders that came while it was being opened apply to it."""
        if self._look is not None:
            source.lookout = Lookout(self._look, self._region, self._num_skipped)
        self._source = source
        self._shrink()

    def release(self) -> None:
        """The camera is no longer open; the next one goes on counting where this one ended."""
        if self._source is not None and self._source.lookout is not None:
            self._num_skipped = self._source.lookout.skips.num
        self._source = None

    def _listen(self) -> None:
        for line in self._lines:
            order = json.loads(line)
            if "shrink_for" in order:
                self.spec = read_spec(order["shrink_for"])
                self._shrink()
                continue
            source = self._source  # a camera that is opened later looks at its first frame anyway
            if "watch" in order:
                self._region = read_region(order["watch"])
                if source is not None:
                    source.watch(self._region)
            elif source is not None:
                source.look_again()

    def _shrink(self) -> None:
        if self._source is not None and self.spec is not None:
            self._source.shrink_for(self.spec)


def _lines(descriptor: int) -> Iterator[bytes]:
    """Every line as soon as it is complete, until the writer closes."""
    unread = b""
    while content := os.read(descriptor, 4096):
        *whole, unread = (unread + content).split(b"\n")
        yield from whole


def main() -> None:
    """Serves until killed, or until the camera ends."""
    lines = _lines(sys.stdin.fileno())
    order = Order.from_json(next(lines).decode())
    die_with(order.parent)
    cv2.setNumThreads(1)
    shared = SharedFrames(order.frames_fd)
    backoff = Backoff(FIRST_RETRY_S, RETRY_CAP_S)
    wanted = _Orders(order, lines)
    captured, bad, address = 0, 0, order.address
    while True:
        _say("opening", address.shown)
        source: FrameSource | None = None
        try:
            source = open_source(address, wanted.spec, order.options)
            wanted.now_by(source)
            _say("open", source.name)
            if source.began_with and not address.began_with:
                address = replace(address, began_with=source.began_with)
                _say("camera", source.began_with)
            _serve(source, shared, order.event_fd, captured, bad, backoff)
            _say("ended", source.name)
            return
        except EdgeRuntimeError as error:
            _say("trouble", str(error))
        except Exception as error:  # nobody sees this process's stderr: the parent reports the reason and replaces it
            _say("trouble", f"The capture process failed: {type(error).__name__}: {error}")
            raise
        finally:
            if source is not None:
                wanted.release()
                source.close()
                captured, bad = captured + source.num_captured, bad + source.num_bad
        time.sleep(backoff.next_s())


def _serve(source: FrameSource, shared: SharedFrames, event_fd: int, captured: int, bad: int, backoff: Backoff) -> None:
    lookout = source.lookout
    num_seen = 0
    while not source.ended:
        frame = source.read(READ_S if lookout is None else RESTING_READ_S)
        fingerprint = None
        if frame is not None:
            fingerprint = frame.fingerprint if frame.fingerprint is not None else _fingerprint(frame)
            if lookout is not None and not source.asks_lookout and not _is_wanted(lookout, frame, fingerprint):
                frame = None
        if source.num_captured != num_seen:
            num_seen = source.num_captured
            backoff.reset()
        # Without the frame in hand, which counts as captured once it is published.
        num_before = captured + source.num_captured - int(frame is not None)
        shared.count(num_before, bad + source.num_bad, lookout.skips if lookout is not None else None)
        if frame is not None:
            shared.publish(Frame(frame.pixels, captured + frame.seq, frame.captured_s, frame.name, fingerprint))
            os.eventfd_write(event_fd, 1)


def _is_wanted(lookout: Lookout, frame: Frame, fingerprint: int) -> bool:
    """Whether an already decoded frame is looked at."""
    return lookout.wants(frame.captured_s, fingerprint, lambda region: read_cells(frame.pixels, region))


def _fingerprint(frame: Frame) -> int:
    """A checksum of every fourth row: noise changes it, and it costs a fraction of reading the whole frame again."""
    return zlib.crc32(np.ascontiguousarray(frame.pixels[::4]).data)


def _say(state: str, text: str) -> None:
    sys.stdout.write(json.dumps({"state": state, "text": text}) + "\n")
    sys.stdout.flush()
