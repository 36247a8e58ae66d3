"""A live camera in its own process; only its newest frame is ever seen.

The child may hang, crash or lie. The parent keeps a deadline for everything that the child should do, kills it when it
is silent, and starts another after 1, 2, 4 ... 30 s. Frames, restarts and everything dropped are counted. Linux only.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.capture.process import CaptureProcess
from edge_runtime.cameras.frame import Frame, FrameSource, SourceCounts
from edge_runtime.cameras.lookout import Skips
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.cameras.pace import UNKNOWN_S, Pace
from edge_runtime.contract import InputSpec, Region
from edge_runtime.errors import CameraError
from edge_runtime.system.backoff import Backoff
from edge_runtime.system.clock import monotonic_s

# The child sees exactly the same modules as this process, wherever it was started from.
CHILD_COMMAND = (
    sys.executable,
    "-c",
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from edge_runtime.cameras.capture.child import main; main()",
)

# Opening fails at once if the camera does not exist or is not allowed, so anything longer is a camera that responds.
LONG_OPENING_S = 2.0


@dataclass(frozen=True)
class CaptureConfig:
    """Seconds that a child may take to start, to open its camera, and between two frames; and the waits before a new
    child.

    ``silent_s`` grows with the camera's own interval; while that is unknown, ``unknown_s`` applies. ``opening_s`` also
    covers the first frame, and is longer than any source tries to open a camera before it gives up.

    ``first_frame_s`` is how long iterating waits for the very first frame before CameraError.
    """

    start_s: float = 20.0
    opening_s: float = 20.0
    silent_s: float = 3.0
    unknown_s: float = UNKNOWN_S
    first_restart_s: float = 1.0
    restart_cap_s: float = 30.0
    terminate_s: float = 0.5
    first_frame_s: float = 30.0


class Capture(FrameSource):
    """The live `FrameSource`: `read` gives the newest frame not yet read, and replaces a failed child.

    The child dies with the thread that started it, so open and read a camera in the same thread.
    """

    live = True

    def __init__(
        self,
        address: CameraAddress,
        shrink_for: InputSpec | None = None,
        config: CaptureConfig | None = None,
        command: Sequence[str] | None = None,
        clock: Callable[[], float] = monotonic_s,
        options: CameraOptions | None = None,
    ) -> None:
        self._options = options or CameraOptions()
        self._pace = Pace(self._options.expect_fps)
        self.name = address.shown
        self.config = config or CaptureConfig()
        self._address, self._shrink_for, self._clock = address, shrink_for, clock
        self._command = tuple(command) if command is not None else (*CHILD_COMMAND, json.dumps(sys.path))
        self._backoff = Backoff(self.config.first_restart_s, self.config.restart_cap_s)
        self._child: CaptureProcess | None = None
        self._next_start_s = clock()
        self._num_starts = self._num_taken = 0
        # Of all earlier children: how many frames they captured, and what became of those that were not taken.
        self._past_captured = self._past_bad = self._past_dropped = self._past_skipped = 0
        self.look = self._options.look
        self._region: Region | None = None
        self._start_when_due()

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        deadline_s = self._clock() + timeout_s
        while not self.ended:
            self._start_when_due()
            child = self._child
            if child is not None:
                frame = self._take(child)
                if frame is not None:
                    return frame
            now_s = self._clock()
            if child is None or child is not self._child:
                time.sleep(max(0.0, min(deadline_s, self._next_start_s) - now_s))
            else:
                child.wait(max(0.0, min(deadline_s, child.deadline_s) - now_s))
                self._look_after(child)
            if now_s >= deadline_s:
                break
        return None

    def counts(self) -> SourceCounts:
        bad, dropped, skipped, waiting = self._past_bad, self._past_dropped, self._past_skipped, 0
        if self._child is not None:
            shared = self._child.shared
            # Read `published` first: a frame published between the two reads must not look dropped.
            published = shared.published
            waiting = int(shared.newest_seq > self._child.last_seq)
            dropped += shared.dropped + max(0, published - self._child.num_taken - waiting)
            skipped += shared.skips.num
            bad += shared.bad
        return SourceCounts(
            captured=self._num_taken + dropped + skipped + waiting,
            dropped=dropped,
            waiting=waiting,
            bad=bad,
            restarts=max(0, self._num_starts - 1),
            skipped=skipped,
        )

    def skips(self) -> Skips:
        skips = self._child.shared.skips if self._child is not None else Skips()
        return dataclasses.replace(skips, num=self._past_skipped + skips.num)

    def look_again(self) -> None:
        if self._child is not None and self.look is not None:
            self._child.look_again()

    def watch(self, region: Region | None) -> None:
        self._region = region
        if self._child is not None and self.look is not None:
            self._child.watch(region)

    def shrink_for(self, spec: InputSpec) -> None:
        if self._shrink_for is None or self._shrink_for == spec:
            return
        super().shrink_for(spec)
        if self._child is not None:
            self._child.shrink_for(spec)

    @property
    def pids(self) -> tuple[int, ...]:
        return (self._child.process.pid,) if self._child is not None else ()

    def close(self) -> None:
        super().close()
        if self._child is not None:
            self._child.terminate(self.config.terminate_s)
            self._forget_child()

    def __iter__(self) -> Iterator[Frame]:
        """Frames that own their pixels.

        Raises:
            CameraError: no frame at all came within ``first_frame_s``; later outages are waited out.
        """
        start_s = self._clock()
        while not self.ended:
            frame = self.read()
            if frame is not None:
                yield Frame(frame.pixels.copy(), frame.seq, frame.captured_s, frame.name, frame.fingerprint)
            elif self._num_taken == 0 and self._clock() - start_s > self._pace.limit_s(self.config.first_frame_s, 0.0):
                self.close()
                raise CameraError(f"No frame within {self.config.first_frame_s:g} s: {self.trouble or self.name}")

    def _start_when_due(self) -> None:
        if self._child is not None or self._clock() < self._next_start_s:
            return
        self._num_starts += 1
        try:
            self._child = CaptureProcess(
                self._command,
                self._address,
                self._shrink_for,
                self._clock() + self.config.start_s,
                self._options,
                self._region,
            )
        except CameraError as error:
            if self._num_starts == 1:
                raise
            # It has started before: too little memory or too many descriptors may be temporary.
            self.trouble = str(error)
            self._next_start_s = self._clock() + self._backoff.next_s()

    def _take(self, child: CaptureProcess) -> Frame | None:
        try:
            frame = child.shared.take(child.last_seq)
        except CameraError as error:  # it published something impossible: trust nothing more from it
            self._replace(f"{error} It was killed.")
            return None
        if frame is None:
            return None
        if child.last_seq < 0:
            self._backoff.reset()
        child.last_seq = frame.seq
        self._pace.add(self._past_captured + frame.seq, frame.captured_s)
        child.deadline_s = self._clock() + self._silent_s()
        self._num_taken += 1
        child.num_taken += 1
        self.trouble = ""
        return Frame(frame.pixels, self._past_captured + frame.seq, frame.captured_s, "", frame.fingerprint)

    def _look_after(self, child: CaptureProcess) -> None:
        """Handles the child's messages; replaces it if it has ended or is late."""
        for state, text in child.messages():
            child.deadline_s = self._clock() + self._pace.limit_s(self.config.opening_s, 0.0)
            child.opening_since_s = self._clock() if state == "opening" else None
            if state == "open":
                self.name, self.trouble = text, ""
            elif state == "camera":  # so that the next child opens the same one
                self._address = replace(self._address, began_with=text)
            elif state == "trouble":
                self.trouble, child.has_explained = text, True
            elif state == "ended":
                self.ended = True
        opening_s = 0.0 if child.opening_since_s is None else self._clock() - child.opening_since_s
        if self.trouble and opening_s > LONG_OPENING_S:
            # The earlier reason no longer holds: a missing camera is back.
            self.trouble = f"{self.name} has been opening for more than {LONG_OPENING_S:g} s"
        arrived_s = child.shared.skips.arrived_s
        if arrived_s is not None and arrived_s != child.arrived_s:  # a camera at rest is not silent
            child.arrived_s, self.trouble = arrived_s, ""
            self._backoff.reset()
            self._pace.add(self._past_captured + child.shared.captured - 1, arrived_s)
            child.deadline_s = self._clock() + self._silent_s()
        if child.shared.bad != child.last_bad:  # a camera that sends damaged images is not silent
            child.last_bad = child.shared.bad
            child.deadline_s = max(child.deadline_s, self._clock() + self._silent_s())
        if child.has_ended():
            ended = f"the capture process of {self.name} ended ({child.how_it_ended()})"
            self._replace(self.trouble if child.has_explained and self.trouble else ended)
        elif self._clock() >= child.deadline_s and child.shared.newest_seq <= child.last_seq:
            self._replace(f"{self.name} is silent; its capture process was killed")

    def _silent_s(self) -> float:
        return self._pace.limit_s(self.config.silent_s, self.config.unknown_s)

    def _replace(self, reason: str) -> None:
        self.trouble = reason
        if self._child is not None:
            self._child.kill()
        self._forget_child()
        self._next_start_s = self._clock() + self._backoff.next_s()

    def _forget_child(self) -> None:
        if self._child is not None:
            shared, taken = self._child.shared, self._child.num_taken
            skipped = shared.skips.num
            captured = max(shared.captured, shared.newest_seq + 1, taken + skipped)
            self._past_captured += captured
            self._past_skipped += skipped
            self._past_dropped += captured - taken - skipped
            self._past_bad += shared.bad
            self._pace.interrupt()
            self._child.close()
            self._child = None
