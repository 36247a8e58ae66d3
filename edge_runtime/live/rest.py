"""What changes for a run when its camera skips frames on purpose: since when nothing has moved, how long a label holds
meanwhile, and when a frame must be looked at anyway.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from edge_runtime.cameras.frame import FrameSource
from edge_runtime.contract import Region
from edge_runtime.live.results import LABEL_VALID_S, Event, LastKnown
from edge_runtime.system.clock import format_time_of_day, read_wall_time_s

# How often to look at a camera at rest that cannot be believed (black, frozen), to see whether it has recovered.
ASK_S = 1.0


class Rest:
    """The rest of one camera; ``clock`` is monotonic seconds. ``last_known`` is the label that was shown last."""

    def __init__(self, source: FrameSource, clock: Callable[[], float]) -> None:
        self._source, self._clock, self._look = source, clock, source.look
        self._still_s: float | None = None
        self._asked_s = self._arrived_s = -math.inf
        self.last_known: LastKnown | None = None

    @property
    def rests(self) -> bool:
        """Whether frames are skipped on purpose at all."""
        return self._look is not None

    @property
    def interval_s(self) -> float:
        """Seconds between two looks, 0 for every frame."""
        return self._look.interval_s if self._look is not None else 0.0

    @property
    def still_since(self) -> float | None:
        """Since when nothing has moved (wall clock), None while something moves or movement is not watched."""
        return None if self._still_s is None else read_wall_time_s() - (self._clock() - self._still_s)

    def valid_s(self, usual_s: float) -> float:
        """How long a label holds without a newer one; it would hold ``usual_s`` if every frame were looked at."""
        if self._still_s is not None:
            return math.inf
        return max(usual_s, 2 * self.interval_s + LABEL_VALID_S) if self.interval_s else usual_s

    def has_arrived(self) -> bool:
        """Whether frames have come since the last call, looked at or not."""
        arrived_s = self._source.skips().arrived_s if self._look is not None else None
        if arrived_s is None or arrived_s <= self._arrived_s:
            return False
        self._arrived_s = arrived_s
        return True

    def watch(self, region: Region | None) -> None:
        """Movement counts in ``region`` from now on, and the next frame is looked at."""
        if self._look is not None:
            self._source.watch(region)

    def owe_label(self) -> None:
        """A frame was looked at but got no label, or its label is out of date: the next one is looked at."""
        if self._look is not None:
            self._source.look_again()

    def recheck(self, now_s: float) -> None:
        """The camera cannot be believed now, and perhaps nothing will move when it can be again."""
        if self._look is not None and self._look.on_motion and now_s - self._asked_s >= ASK_S:
            self._asked_s = now_s
            self._source.look_again()

    def notice(self, *, is_believed: bool) -> Event | None:
        """An event when movement has ended or begun. While the camera is not believed, this is unknown."""
        if self._look is None or not self._look.on_motion:
            return None
        before_s, self._still_s = self._still_s, self._source.skips().still_since_s if is_believed else None
        if not is_believed or (before_s is None) == (self._still_s is None):
            return None
        if self._still_s is None:
            return Event(read_wall_time_s(), "motion", "moving", "something moves again")
        since = self.still_since or 0.0
        reason = f"nothing moves since {format_time_of_day(since)}; {describe_last_known(self.last_known)}"
        return Event(read_wall_time_s(), "motion", "still", reason, self.last_known)


def describe_last_known(known: LastKnown | None) -> str:
    """``last known: mug 0.93, at 14:03:11``, in the local time of this machine."""
    if known is None:
        return "no label is known yet"
    score = f" {known.score:.2f}" if known.score is not None else ""
    return f"last known: {known.label}{score}, at {format_time_of_day(known.ts)}"
