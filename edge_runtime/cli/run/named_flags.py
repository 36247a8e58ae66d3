"""Makes what ``run`` reports name flags, as its errors do; the library behind it names arguments."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from edge_runtime.cli.flag_names import name_flags

if TYPE_CHECKING:
    from edge_runtime.cameras.frame import Frame
    from edge_runtime.inference.classifier import Classifier
    from edge_runtime.live.observers import Observer, Sink
    from edge_runtime.live.results import Event, Pulse, Result, Status


class NamingSink:
    """Passes everything on to ``sink``; reasons of events name flags."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def result(self, result: Result) -> None:
        """A frame got its label."""
        self._sink.result(result)

    def event(self, event: Event) -> None:
        """Something changed."""
        self._sink.event(dataclasses.replace(event, reason=name_flags(event.reason)))

    def status(self, status: Status) -> None:
        """How the run is going."""
        self._sink.status(status)


class NamingObserver:
    """Passes everything on to ``observer``; reasons of pulses name flags."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def model(self, classifier: Classifier) -> None:
        """``classifier`` is used from now on."""
        self._observer.model(classifier)

    def frame(self, frame: Frame, result: Result | None) -> None:
        """A fresh frame was judged."""
        self._observer.frame(frame, result)

    def pulse(self, pulse: Pulse) -> None:
        """The loop is alive."""
        self._observer.pulse(dataclasses.replace(pulse, reason=name_flags(pulse.reason)))
