"""Lets through only results that say something new, for a journal where every frame would be too much."""

from __future__ import annotations

from collections.abc import Callable

from edge_runtime.live.label_changes import LabelChanges
from edge_runtime.live.observers import Sink
from edge_runtime.live.results import Event, Result, Status
from edge_runtime.system.clock import monotonic_s


class ChangesOnly:
    """A `Sink` in front of another one. After a camera outage the next label counts as new, whatever it is."""

    def __init__(self, sink: Sink, clock: Callable[[], float] = monotonic_s) -> None:
        self._sink, self._clock = sink, clock
        self._is_change = LabelChanges()

    def result(self, result: Result) -> None:
        if self._is_change.add(result.shown, self._clock()):
            self._sink.result(result)

    def event(self, event: Event) -> None:
        if event.kind == "camera":
            self._is_change = LabelChanges()
        self._sink.event(event)

    def status(self, status: Status) -> None:
        self._sink.status(status)
