"""Learns the usual interval between frames, so that a slow camera is not mistaken for a silent one.

Pure: it reads no clock. A limit follows the interval and never falls below what the caller asks for.
"""

from __future__ import annotations

from collections import deque

# How long to wait while nothing is known: enough for one frame in 10 s, with room to spare.
UNKNOWN_S = 20.0
# A limit is this many intervals.
PATIENCE = 3.0
_NUM_GAPS = 5
_NUM_NEEDED = 3


class Pace:
    """The interval between a camera's frames; with ``expect_fps`` it is known from the start, and never shorter.

    One long gap among the last five (an outage) changes nothing; two mean that the camera is that slow. A gap during
    which the camera was reopened says little about it: it lengthens the wait only while nothing else is known, and to
    at most ``PATIENCE`` times that wait, or the wait for a camera that always fails would grow each time.
    """

    def __init__(self, expect_fps: float | None = None) -> None:
        self._expected_s = 1.0 / expect_fps if expect_fps else 0.0
        self._gaps: deque[float] = deque(maxlen=_NUM_GAPS)
        self._last: tuple[int, float] | None = None
        self._is_interrupted, self._interrupted_s = False, 0.0

    def interrupt(self) -> None:
        """Notes that the camera is being reopened, so the gap until its next frame is not its usual interval."""
        self._is_interrupted = True

    def add(self, captured: int, now_s: float) -> None:
        """Notes that ``captured`` frames have come by ``now_s``; a number that has not risen is ignored."""
        if self._last is not None:
            num_new = captured - self._last[0]
            if num_new <= 0:
                return
            gap_s = (now_s - self._last[1]) / num_new
            if self._is_interrupted:
                self._interrupted_s = gap_s
            else:
                self._gaps.append(gap_s)
        self._last, self._is_interrupted = (captured, now_s), False

    @property
    def interval_s(self) -> float | None:
        """Seconds from one frame to the next; None while unknown."""
        if len(self._gaps) < _NUM_NEEDED:
            return self._expected_s or None
        return max(self._expected_s, sorted(self._gaps)[-2])

    @property
    def shortest_s(self) -> float | None:
        """The shortest recent interval in seconds, or the expected one if that is longer; None while unknown. Outages
        do not lengthen it.
        """
        if len(self._gaps) < _NUM_NEEDED:
            return self._expected_s or None
        return max(self._expected_s, min(self._gaps))

    def limit_s(self, least_s: float, unknown_s: float = UNKNOWN_S) -> float:
        """How long to wait before the next frame counts as missing: ``PATIENCE`` intervals, and at least ``least_s``.

        While the interval is unknown: ``unknown_s``, or more after a longer gap.
        """
        interval_s = self.interval_s
        if interval_s is None:
            longest_s = max(*self._gaps, min(self._interrupted_s, unknown_s or UNKNOWN_S), 0.0)
            return max(least_s, unknown_s, PATIENCE * longest_s)
        return max(least_s, PATIENCE * interval_s)
