"""Chooses which frames of a live camera are looked at: at most so many a second, one every so many seconds, or those in
which something moves.

It runs where frames are captured, so that skipped frames are not decoded. It reads no clock, and its only state from
outside is what the camera passes on: the region, and the order to look again. Its `Skips` tell others that a camera is
at rest, not silent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from edge_runtime.contract import Region
from edge_runtime.errors import UsageError
from edge_runtime.pixels.motion import Cells, has_moved

# How often to look for movement: at 30 frames per second, one frame in five is decoded for it.
WATCH_S = 0.15
# Frames are looked at for this long after the last movement: by then whatever moved is in place, and sharp.
SETTLE_S = 1.0


@dataclass(frozen=True)
class LookConfig:
    """At most ``max_fps`` looks a second, None for no limit; with ``on_motion`` only while something moves, and once
    every ``every_s`` seconds in any case. Without ``on_motion``, ``every_s`` is the time between two looks.

    At least ``num_votes`` looks follow a movement, so that a label that is smoothed over several of them is found.

    Raises:
        UsageError: a number is not above 0.
    """

    max_fps: float | None = None
    every_s: float | None = None
    on_motion: bool = False
    num_votes: int = 1

    def __post_init__(self) -> None:
        if self.max_fps is not None and not 0 < self.max_fps < math.inf:
            raise UsageError(f"`max_fps` is {self.max_fps:g}, expected looks a second above 0, such as 5.")
        if self.every_s is not None and not 0 < self.every_s < math.inf:
            raise UsageError(f"`every_s` is {self.every_s:g}, expected seconds above 0, such as 60.")

    @property
    def interval_s(self) -> float:
        """Seconds between two looks while something moves, or always without ``on_motion``; 0 for every frame."""
        limit_s = 1.0 / self.max_fps if self.max_fps else 0.0
        return limit_s if self.on_motion else max(limit_s, self.every_s or 0.0)


@dataclass(frozen=True)
class Skips:
    """What a camera knows of frames that are deliberately not looked at: how many there were, and when its newest frame
    of all arrived. ``fingerprint`` is that of the newest frame that has one, captured at ``checked_s``. Nothing has
    moved since ``still_since_s``, None while something moves or movement is not watched. All times are monotonic.
    """

    num: int = 0
    arrived_s: float | None = None
    fingerprint: int | None = None
    checked_s: float = 0.0
    still_since_s: float | None = None


class Lookout:
    """Asked about every frame of a camera, in order; ``region`` is where movement counts, None for the whole frame.
    ``num_skipped`` is how many frames have already been skipped.
    """

    def __init__(self, config: LookConfig, region: Region | None = None, num_skipped: int = 0) -> None:
        self._config, self.region = config, region
        self._num_asked = 1
        self._is_moving, self._votes_left = True, config.num_votes
        self._due_s = self._looked_s = self._watched_s = self._moved_s = -math.inf
        self._before: Cells | None = None
        self._watched: int | None = None
        self._num_skipped = num_skipped
        self._arrived_s: float | None = None
        self._fingerprint: int | None = None
        self._checked_s = 0.0

    @property
    def skips(self) -> Skips:
        """What became of the frames so far."""
        still_since_s = self._moved_s if self._config.on_motion and not self._is_moving else None
        return Skips(self._num_skipped, self._arrived_s, self._fingerprint, self._checked_s, still_since_s)

    def look_again(self) -> None:
        """Looks at the next frame, whatever it shows; with ``on_motion``, at as many as a label needs."""
        self._num_asked = self._config.num_votes if self._config.on_motion else 1

    def rests(self, now_s: float) -> bool:
        """Whether nothing of the frame captured at ``now_s`` is needed; if so, it is counted as skipped."""
        if self._num_asked or self._is_due(now_s) or (self._config.on_motion and self._is_watch_due(now_s)):
            return False
        self._arrived_s = now_s
        self._num_skipped += 1
        return True

    def wants(self, now_s: float, fingerprint: int | None, read_cells: Callable[[Region | None], Cells]) -> bool:
        """Whether the frame captured at ``now_s`` is looked at; otherwise it is counted as skipped. ``read_cells``
        gives its cells and is called only when they are needed; what it raises is passed on, and the frame is not
        counted.
        """
        if self._config.on_motion and (
            self._is_watch_due(now_s) or (self._is_rest_over(now_s) and not self._is_moving)
        ):
            self._watch(now_s, fingerprint, read_cells)
        self._arrived_s = now_s
        if fingerprint is not None:
            self._fingerprint, self._checked_s = fingerprint, now_s
        if not (self._num_asked or self._is_due(now_s)):
            self._num_skipped += 1
            return False
        interval_s, late_s = self._config.interval_s, now_s - self._due_s
        # The next look is due on schedule however late this frame was, so that the rate is met.
        self._due_s = (self._due_s if 0.0 <= late_s < interval_s else now_s) + interval_s
        self._looked_s = now_s
        self._num_asked, self._votes_left = max(0, self._num_asked - 1), max(0, self._votes_left - 1)
        return True

    def _is_due(self, now_s: float) -> bool:
        if not self._config.on_motion:
            return now_s >= self._due_s
        return (self._is_moving and now_s >= self._due_s) or self._is_rest_over(now_s)

    def _is_rest_over(self, now_s: float) -> bool:
        every_s = self._config.every_s
        return every_s is not None and now_s - self._looked_s >= every_s

    def _is_watch_due(self, now_s: float) -> bool:
        return now_s - self._watched_s >= WATCH_S

    def _watch(self, now_s: float, fingerprint: int | None, read_cells: Callable[[Region | None], Cells]) -> None:
        """Looks for movement since the last frame that was looked at."""
        is_same = fingerprint is not None and fingerprint == self._watched and self._before is not None
        cells = self._before if is_same else read_cells(self.region)
        if cells is None or self._before is None or has_moved(cells, self._before):
            self._moved_s, self._is_moving, self._votes_left = now_s, True, self._config.num_votes
        elif self._is_moving and now_s - self._moved_s >= SETTLE_S and not self._votes_left:
            self._is_moving = False
        if self._is_moving or self._num_asked or self._is_rest_over(now_s):
            self._before = cells
        self._watched_s, self._watched = now_s, fingerprint
