"""Files as cameras: a recording gives its frames one by one; `Playback` plays it in real time, in a loop, or both.

In real time a file is a live camera: each frame comes at its time stamp, and a late reader misses some.
"""

from __future__ import annotations

import time
from abc import abstractmethod

from edge_runtime.cameras.frame import Frame, FrameSource, SourceCounts
from edge_runtime.cameras.lookout import Lookout
from edge_runtime.contract import InputSpec
from edge_runtime.pixels.motion import read_cells
from edge_runtime.pixels.preprocess import Image
from edge_runtime.system.clock import monotonic_s

# A playback that lags by more than this goes on from where it is: this machine was stopped, or cannot keep up.
LAG_S = 0.3


class Recording(FrameSource):
    """Frames that exist already: `step` goes to the next one, `decode` gives it.

    ``position_s`` is the current frame's time stamp in seconds, None without time stamps; ``interval_s`` is the usual
    time between two frames; ``file`` is the current frame's file if each has its own. Read without `Playback`, every
    frame comes once, as fast as it is read.
    """

    position_s: float | None = None
    interval_s: float = 1.0
    file: str = ""

    @abstractmethod
    def step(self) -> bool:
        """Goes to the next frame; False at the end."""

    @abstractmethod
    def decode(self) -> Image | None:
        """The current frame, (h, w, 3) uint8 BGR; None if it is damaged."""

    @abstractmethod
    def rewind(self) -> None:
        """Goes back to before the first frame; raises as opening does if the file has gone."""

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        while not self.ended and self.step():
            captured_s = monotonic_s()
            pixels = self.decode()
            if pixels is not None:
                self.num_captured += 1
                return Frame(pixels, self.num_captured - 1, captured_s, self.file, position_s=self.position_s)
            self.num_bad += 1
        self.close()
        return None


class Playback(FrameSource):
    """Plays ``recording`` with each frame when it is due (``realtime``), or starting again at its end (``loop``).

    A frame counts as captured when it was due. A round without a single good image is the last.
    """

    def __init__(self, recording: Recording, *, realtime: bool, loop: bool) -> None:
        self._recording, self._loop = recording, loop
        self.live, self.name = realtime, recording.name
        self._start_s: float | None = None
        self._round_s = self._place_s = 0.0
        self._num_good = self._num_taken = 0
        self._is_ready = False

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        deadline_s = monotonic_s() + timeout_s
        while not self.ended:
            if not self._is_ready and not self._go_on():
                self.close()
                break
            now_s = monotonic_s()
            due_s = self._due_s(now_s)
            if due_s > now_s:
                time.sleep(max(0.0, min(due_s, deadline_s) - now_s))
                if due_s > deadline_s:
                    break
                continue
            self._is_ready = False
            if now_s - due_s > self._recording.interval_s:  # the next one is due, too
                self.num_captured += 1
                continue
            if self.lookout is not None and self.lookout.rests(due_s):
                self.num_captured += 1
                self._num_good += 1
                continue
            pixels = self._recording.decode()
            if pixels is None:
                self.num_bad += 1
                continue
            self.num_captured += 1
            self._num_good += 1
            if self.lookout is not None and not self._is_wanted(self.lookout, pixels, due_s):
                continue
            self._num_taken += 1
            return Frame(pixels, self.num_captured - 1, due_s, self._recording.file, position_s=self._place_s)
        return None

    def counts(self) -> SourceCounts:
        skipped = self.skips().num
        dropped = self.num_captured - self._num_taken - skipped
        return SourceCounts(self.num_captured, dropped=dropped, bad=self.num_bad, skipped=skipped)

    def shrink_for(self, spec: InputSpec) -> None:
        self._recording.shrink_for(spec)

    def close(self) -> None:
        super().close()
        self._recording.close()

    def _is_wanted(self, lookout: Lookout, pixels: Image, due_s: float) -> bool:
        return lookout.wants(due_s, None, lambda region: read_cells(pixels, region))

    def _go_on(self) -> bool:
        """Goes to the next frame, or into the next round at the end; False if there is none."""
        if not self._recording.step():
            if not self._loop or not self._num_good:
                return False
            self._recording.rewind()
            self._round_s, self._num_good = self._place_s + self._recording.interval_s, 0
            if not self._recording.step():
                return False
        position_s = self._recording.position_s
        after_s = self._place_s + self._recording.interval_s
        self._place_s = after_s if position_s is None else self._round_s + position_s
        self._is_ready = True
        return True

    def _due_s(self, now_s: float) -> float:
        """When the current frame is due; now if it is not played in real time."""
        if not self.live:
            return now_s
        if self._start_s is None or now_s - self._start_s - self._place_s > LAG_S:
            self._start_s = now_s - self._place_s
        return self._start_s + self._place_s
