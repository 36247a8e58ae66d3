"""Many sinks and observers as one of each, so that the loop knows only one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from edge_runtime.cameras.frame import Frame
from edge_runtime.inference.classifier import Classifier
from edge_runtime.live.observers import Observer, Sink
from edge_runtime.live.results import Event, Pulse, Result, Status


class HasEvents(Protocol):
    """An output that works in its own thread and reports events now and then."""

    def take_events(self) -> Iterable[Event]:
        """The events since the last call."""


class FanOut:
    """A `Sink` and an `Observer` that passes everything to all others, in order; at each pulse also the events of
    ``talkers``.
    """

    def __init__(
        self, sinks: Sequence[Sink], observers: Sequence[Observer] = (), talkers: Sequence[HasEvents] = ()
    ) -> None:
        self._sinks, self._observers, self._talkers = tuple(sinks), tuple(observers), tuple(talkers)

    def result(self, result: Result) -> None:
        for sink in self._sinks:
            sink.result(result)

    def event(self, event: Event) -> None:
        for sink in self._sinks:
            sink.event(event)

    def status(self, status: Status) -> None:
        for sink in self._sinks:
            sink.status(status)

    def model(self, classifier: Classifier) -> None:
        for observer in self._observers:
            observer.model(classifier)

    def frame(self, frame: Frame, result: Result | None) -> None:
        for observer in self._observers:
            observer.frame(frame, result)

    def pulse(self, pulse: Pulse) -> None:
        for observer in self._observers:
            observer.pulse(pulse)
        for talker in self._talkers:
            for event in talker.take_events():
                self.event(event)
