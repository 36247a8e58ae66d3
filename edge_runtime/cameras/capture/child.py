"""The process that holds the camera: opens it, reads it, publishes the newest frame, and tries again when it fails.

Everything that may block for ever, crash on a hostile image or leak lives here, where it can be killed. It is told
what to do by one line of JSON on stdin, and by each later line which input of a model its images are for from then
on. It says what it is doing in lines of JSON on stdout:
``{"state": "opening" | "open" | "camera" | "trouble" | "ended", "text": ...}``, where "camera" tells which one a number
meant when it was opened first. It never outlives its parent.
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

from edge_runtime.cameras.capture.orders import Order, read_spec
from edge_runtime.cameras.capture.shared_frames import SharedFrames
from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.cameras.sources.opening import open_source
from edge_runtime.contract import InputSpec
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.pixels.opencv import cv2
from edge_runtime.system.backoff import Backoff
from edge_runtime.system.parent_death import die_with

READ_S = 0.5
FIRST_RETRY_S, RETRY_CAP_S = 0.5, 2.0


class _Wanted:
    """The model's input, now: a thread hears of another one while the camera is waited for.

    Reads the descriptor itself, because a thread in Python's own stdin would hold a lock that the end needs.
    """

    def __init__(self, spec: InputSpec | None, lines: Iterator[bytes]) -> None:
        self.spec = spec
        self._lines = lines
        self._source: FrameSource | None = None
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def now_by(self, source: FrameSource) -> None:
        """``source`` is the open camera; a line that came while it was being opened holds for it."""
        self._source = source
        self._pass_on()

    def _listen(self) -> None:
        for line in self._lines:
            self.spec = read_spec(json.loads(line))
            self._pass_on()

    def _pass_on(self) -> None:
        if self._source is not None and self.spec is not None:
            self._source.shrink_for(self.spec)


def _lines(descriptor: int) -> Iterator[bytes]:
    """Every line, as soon as it is whole, until the writer closes."""
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
    wanted = _Wanted(order.shrink_for, lines)
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
        except Exception as error:  # nobody sees this process's stderr: its parent tells why it ends, and replaces it
            _say("trouble", f"The capture process failed: {type(error).__name__}: {error}")
            raise
        finally:
            if source is not None:
                source.close()
                captured, bad = captured + source.num_captured, bad + source.num_bad
        time.sleep(backoff.next_s())


def _serve(source: FrameSource, shared: SharedFrames, event_fd: int, captured: int, bad: int, backoff: Backoff) -> None:
    while not source.ended:
        frame = source.read(READ_S)
        if frame is not None:
            fingerprint = frame.fingerprint if frame.fingerprint is not None else _fingerprint(frame)
            shared.publish(Frame(frame.pixels, captured + frame.seq, frame.captured_s, frame.name, fingerprint))
            backoff.reset()
        shared.count(captured + source.num_captured, bad + source.num_bad)
        if frame is not None:
            os.eventfd_write(event_fd, 1)


def _fingerprint(frame: Frame) -> int:
    """A checksum over every fourth row: noise changes it, and it costs a fraction of reading the whole frame again."""
    return zlib.crc32(np.ascontiguousarray(frame.pixels[::4]).data)


def _say(state: str, text: str) -> None:
    sys.stdout.write(json.dumps({"state": state, "text": text}) + "\n")
    sys.stdout.flush()
