"""The process that holds the camera: opens it, reads it, publishes the newest frame, and tries again when it fails.

Everything that may block for ever, crash on a hostile picture or leak lives here, where it can be killed. It is told
what to do by one line of JSON on stdin, and says what it is doing in lines of JSON on stdout:
``{"state": "opening" | "open" | "trouble" | "ended", "text": ...}``. It never outlives its parent.
"""

from __future__ import annotations

import json
import os
import sys
import time
import zlib
from dataclasses import asdict, dataclass

import cv2
import numpy as np

from edge_runtime.backoff import Backoff
from edge_runtime.cameras import CameraAddress, Frame, FrameSource, open_source
from edge_runtime.contract import InputSpec
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.process_death import die_with
from edge_runtime.shared_frames import SharedFrames

READ_S = 0.5
FIRST_RETRY_S, RETRY_CAP_S = 0.5, 2.0


@dataclass(frozen=True)
class Order:
    """What the parent wants: the camera, the model's input, the inherited descriptors, and the parent's process id."""

    address: CameraAddress
    shrink_for: InputSpec | None
    frames_fd: int
    event_fd: int
    parent: int

    def to_json(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Order:
        data = json.loads(text)
        shrink_for = InputSpec(**data.pop("shrink_for")) if data["shrink_for"] else data.pop("shrink_for")
        return cls(CameraAddress(**data.pop("address")), shrink_for, **data)


def main() -> None:
    """Serves until killed, or until the camera ends."""
    order = Order.from_json(sys.stdin.readline())
    die_with(order.parent)
    cv2.setNumThreads(1)
    shared = SharedFrames(order.frames_fd)
    backoff = Backoff(FIRST_RETRY_S, RETRY_CAP_S)
    captured = bad = 0
    while True:
        _say("opening", order.address.shown)
        source: FrameSource | None = None
        try:
            source = open_source(order.address, order.shrink_for)
            _say("open", source.name)
            _serve(source, shared, order.event_fd, captured, bad, backoff)
            _say("ended", source.name)
            return
        except EdgeRuntimeError as error:
            _say("trouble", str(error))
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
