"""Reports a failing output without flooding: one event when it starts, one when it ends, one log line per minute."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from edge_runtime.live.results import Event
from edge_runtime.system.clock import monotonic_s, read_wall_time_s

LOG_EVERY_S = 60.0

log = logging.getLogger(__name__)


class OutputTrouble:
    """``kind`` names the output in its events; `failed` and `worked` may be called from the output's own thread."""

    def __init__(self, kind: str, clock: Callable[[], float] = monotonic_s) -> None:
        self._kind, self._clock = kind, clock
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._is_failing = False
        self._logged_s: float | None = None

    def failed(self, reason: str) -> None:
        """Notes a failure; ``reason`` is a sentence with its remedy."""
        now_s = self._clock()
        with self._lock:
            if not self._is_failing:
                self._events.append(Event(read_wall_time_s(), self._kind, "failing", reason))
            self._is_failing = True
            is_due = self._logged_s is None or now_s - self._logged_s >= LOG_EVERY_S
            if is_due:
                self._logged_s = now_s
        if is_due:
            log.warning("%s: %s", self._kind, reason)

    def worked(self, text: str) -> None:
        """Notes a success; an event only when it ends a failure."""
        with self._lock:
            if self._is_failing:
                self._is_failing = False
                self._events.append(Event(read_wall_time_s(), self._kind, "ok", text))

    def take_events(self) -> list[Event]:
        """The events since the last call."""
        if not self._events:
            return []
        with self._lock:
            events, self._events = self._events, []
        return events
