"""Who hears about a run: sinks get results, observers also see the frames. Neither ever talks back to the loop."""

from __future__ import annotations

from typing import Protocol

from edge_runtime.cameras.frame import Frame
from edge_runtime.inference.classifier import Classifier
from edge_runtime.live.results import Event, Pulse, Result, Status


class Sink(Protocol):
    """One place for results; each call returns at once or raises OSError when its reader is gone."""

    def result(self, result: Result) -> None:
        """A frame got its label."""

    def event(self, event: Event) -> None:
        """Something changed."""

    def status(self, status: Status) -> None: ...


class Observer(Protocol):
    """Sees what the loop sees, in the loop's thread; each call returns at once and keeps no pixels without copying
    them.
    """

    def model(self, classifier: Classifier) -> None:
        """``classifier`` is used from now on."""

    def frame(self, frame: Frame, result: Result | None) -> None:
        """A fresh frame was judged; ``result`` is None when it was refused a label."""

    def pulse(self, pulse: Pulse) -> None:
        """The loop is alive; called at least four times a second while it is."""
