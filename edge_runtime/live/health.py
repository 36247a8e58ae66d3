"""Decides whether a camera's frames may be believed, and says in words why not.

Pure: it is given frames and silences with their times, opens nothing and reads no clock. It answers with a condition
(for an event) and with whether a frame may get a label; it never makes up a frame or a label.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from edge_runtime.cameras.lookout import Skips
from edge_runtime.cameras.pace import UNKNOWN_S, Pace
from edge_runtime.live.health_state import HealthState
from edge_runtime.live.results import LABEL_VALID_S
from edge_runtime.pixels.preprocess import Image


@dataclass(frozen=True)
class HealthConfig:
    """How many seconds each fault must last before it is reported, or several of the camera's own intervals where those
    are longer. The rate counts as collapsed below ``slow_fraction`` of the usual rate. ``expect_fps`` is the camera's
    own rate, if known.
    """

    start_s: float = UNKNOWN_S
    no_camera_s: float = 1.5
    damaged_s: float = 3.0
    frozen_s: float = 5.0
    one_colour_s: float = 1.0
    stale_s: float = 1.5
    slow_window_s: float = 5.0
    slow_fraction: float = 0.5
    expect_fps: float | None = None


@dataclass(frozen=True)
class Condition:
    """``reason`` explains ``state`` to people; ``causes`` tell programs what degrades it: "low_fps", "drift"."""

    state: HealthState
    reason: str
    causes: tuple[str, ...] = ()


STARTING = Condition(HealthState.STARTING, "waiting for the first frame")
OK = Condition(HealthState.OK, "fresh frames arrive")
# A night scene has texture; a covered lens, a saturated sensor or a test colour has almost none in any channel.
ONE_COLOUR_DEVIATION = 2.0
SAMPLE_SIDE = 48


class Health:
    """One camera's state; ``now_s`` is monotonic time everywhere."""

    def __init__(self, now_s: float, config: HealthConfig | None = None) -> None:
        self.config = config or HealthConfig()
        self._start_s = now_s
        self._arrived_s: float | None = None
        self._fresh_s = now_s
        self._trouble = ""
        self._age_ms = 0.0
        self._num_bad = self._num_damaged = 0
        self._damaged_s = -math.inf
        self._fingerprint: int | None = None
        self._same_since_s = self._same_until_s = now_s
        self._pace, self._changes, self._damages = (Pace(self.config.expect_fps) for _ in range(3))
        self._num_changes = 0
        self._one_colour_since_s: float | None = None
        self._one_colour_reason = ""
        self._rate = _Rate(self.config.slow_window_s)
        self._drift = ""

    def frame(self, pixels: Image, fingerprint: int | None, captured: int, now_s: float) -> bool:
        """Judges one fresh frame; true when it may get a label. ``captured`` counts all frames of the camera so far."""
        self.arrive(captured, now_s)
        self._compare(fingerprint, now_s)
        reason = explain_one_colour(pixels)
        if not reason:
            self._one_colour_since_s = None
        elif self._one_colour_since_s is None:
            self._one_colour_since_s = now_s
        self._one_colour_reason = reason
        allowed = not reason and not self._is_frozen()
        if not allowed:  # the frame was in time; it would get no label anyway
            self.labelled(now_s)
        return allowed

    def skipped(self, skips: Skips, captured: int) -> None:
        """Notes frames that arrived but were skipped on purpose: the camera is not silent, and a frozen camera gives
        identical images here, too.
        """
        if skips.arrived_s is not None and skips.arrived_s > (self._arrived_s or self._start_s):
            self.arrive(captured, skips.arrived_s)
        if skips.fingerprint is not None and skips.checked_s > self._same_until_s:
            self._compare(skips.fingerprint, skips.checked_s)

    def labelled(self, now_s: float) -> None:
        """Notes that a frame got its label in time."""
        self._fresh_s, self._age_ms = now_s, 0.0

    def drift(self, reason: str) -> None:
        """Notes in words what differs from what the model was measured on; empty when nothing does."""
        self._drift = reason

    def too_old(self, age_ms: float, captured: int, now_s: float) -> None:
        """Notes a frame that came too late for a label."""
        self.arrive(captured, now_s)
        self._age_ms = age_ms
        if self._pace.interval_s is None:  # a slow camera's frames may be older
            self._fresh_s = now_s

    def silence(self, captured: int, now_s: float, trouble: str = "", num_bad: int = 0) -> None:
        """Notes that no frame came; ``trouble`` is what the camera says about it, ``num_bad`` how many of its images
        have been damaged so far.
        """
        self._trouble = trouble
        if num_bad > self._num_bad:
            self._num_damaged += num_bad - self._num_bad
            self._num_bad, self._damaged_s = num_bad, now_s
            self._damages.add(num_bad, now_s)
        if self._arrived_s is not None:
            self._rate.add(captured, now_s, self._pace.interval_s)

    @property
    def interval_s(self) -> float | None:
        """The shortest of the recent intervals between two frames of this camera, in seconds; None while unknown."""
        return self._pace.shortest_s

    @property
    def label_valid_s(self) -> float:
        """How long a label holds without a newer one: two seconds, or as long as we wait for frames of this camera."""
        return self._pace.limit_s(LABEL_VALID_S, LABEL_VALID_S)

    def condition(self, now_s: float) -> Condition:
        """The state at ``now_s``; of several, the most serious."""
        config, missed_s = self.config, self._pace.limit_s(self.config.no_camera_s, self.config.start_s)
        quiet_s = now_s - (self._start_s if self._arrived_s is None else self._arrived_s)
        if self._arrived_s is None and not self._trouble and not self._num_damaged and quiet_s < missed_s:
            return STARTING
        if self._arrived_s is None or quiet_s > missed_s:
            self._rate.forget_window()
            if now_s - self._damaged_s <= self._damages.limit_s(config.damaged_s, config.damaged_s):
                return Condition(
                    HealthState.DAMAGED,
                    f"{self._num_damaged} images came since the last good one, and all are damaged or of a format that "
                    "cannot be read; check cable, USB hub, bandwidth and the camera's format",
                )
            return Condition(
                HealthState.NO_CAMERA, self._trouble or f"no frame for {quiet_s:.1f} s; the camera is silent"
            )
        if self._age_ms and now_s - self._fresh_s > self._pace.limit_s(config.stale_s, config.stale_s):
            return Condition(
                HealthState.STALE, f"frames arrive {self._age_ms:.0f} ms old; this machine or the network is too slow"
            )
        if self._one_colour_since_s is not None and now_s - self._one_colour_since_s >= config.one_colour_s:
            return Condition(HealthState.BLACK, self._one_colour_reason)
        if self._is_frozen():
            same_s = self._same_until_s - self._same_since_s
            return Condition(HealthState.FROZEN, f"the same image for {same_s:.1f} s; restart the camera")
        rate, usual = self._rate.now, self._rate.usual
        found = {}
        if rate is not None and usual is not None and rate < config.slow_fraction * usual:
            found["low_fps"] = f"low_fps: {rate:.1f} frames per second, usually {usual:.1f}"
        if self._drift:
            found["drift"] = self._drift
        return Condition(HealthState.DEGRADED, "; ".join(found.values()), tuple(found)) if found else OK

    def arrive(self, captured: int, now_s: float) -> None:
        """Notes that frames come, ``captured`` so far."""
        gap_s = now_s - self._arrived_s if self._arrived_s is not None else 0.0
        if gap_s > self._pace.limit_s(
            self.config.no_camera_s, self.config.start_s
        ):  # a camera that comes back starts afresh
            self._fingerprint, self._one_colour_since_s, self._age_ms, self._fresh_s = None, None, 0.0, now_s
            self._rate.forget_window()
        self._arrived_s, self._trouble, self._num_damaged = now_s, "", 0
        self._pace.add(captured, now_s)
        self._rate.add(captured, now_s, self._pace.interval_s)

    def _compare(self, fingerprint: int | None, now_s: float) -> None:
        """Notes whether the image differs from the last one; one without a fingerprint counts as different."""
        self._same_until_s = now_s
        if fingerprint is None or fingerprint != self._fingerprint:
            self._fingerprint, self._same_since_s = fingerprint, now_s
            self._num_changes += 1
            self._changes.add(self._num_changes, now_s)

    def _is_frozen(self) -> bool:
        limit_s = self._changes.limit_s(self.config.frozen_s, 0.0)
        return self._fingerprint is not None and self._same_until_s - self._same_since_s >= limit_s


def explain_one_colour(pixels: Image) -> str:
    """Why a (h, w, 3) uint8 frame shows nothing, or an empty string when it shows something."""
    step = max(1, min(pixels.shape[:2]) // SAMPLE_SIDE)
    sample = pixels[::step, ::step].reshape(-1, 3)
    if sample[:: max(1, len(sample) // 64)].std(axis=0).max() >= 2 * ONE_COLOUR_DEVIATION:  # the usual frame, cheaply
        return ""
    deviation = float(sample.std(axis=0).max())
    if deviation >= ONE_COLOUR_DEVIATION:
        return ""
    mean = float(np.mean(sample))
    colour = "black" if mean < 24 else "white" if mean > 231 else "one colour"
    measured = f"mean {mean:.0f} of 255, deviation {deviation:.1f}"
    return f"the image is {colour} ({measured}); check lens cap, light and exposure"


class _Rate:
    """Frames a second over a sliding window of at least ten frame intervals, and the highest rate of any whole window
    so far (fading over ten minutes).
    """

    FADE_S = 600.0
    SPACING_S = 0.2
    NUM_INTERVALS = 10

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._points: deque[tuple[float, int]] = deque()
        self.now: float | None = None
        self.usual: float | None = None

    def add(self, captured: int, now_s: float, interval_s: float | None) -> None:
        window_s = max(self._window_s, self.NUM_INTERVALS * (interval_s or 0.0))
        if self._points and now_s - self._points[-1][0] < self.SPACING_S:
            return
        elapsed_s = now_s - self._points[-1][0] if self._points else 0.0
        self._points.append((now_s, captured))
        while len(self._points) > 2 and now_s - self._points[1][0] >= window_s:
            self._points.popleft()
        first_s, first = self._points[0]
        if interval_s is None or now_s - first_s < window_s:
            return
        self.now = (captured - first) / (now_s - first_s)
        faded = (self.usual or 0.0) * max(0.0, 1.0 - elapsed_s / self.FADE_S)
        self.usual = max(self.now, faded)

    def forget_window(self) -> None:
        self._points.clear()
        self.now = None
