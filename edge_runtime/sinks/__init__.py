"""Where results go. A sink is told of results, events and the final status, and never talks back to the loop.

An observer also sees the frames themselves and the loop's pulse: the live page, the recorder, a window.
"""

from __future__ import annotations

from typing import Protocol, TextIO

from edge_runtime.cameras.frame import Frame
from edge_runtime.classifier import Classifier
from edge_runtime.errors import UsageError
from edge_runtime.results import Event, Pulse, Result, Status
from edge_runtime.sinks.outlet import Outlet

FORMATS = ("text", "jsonl")


class Sink(Protocol):
    """One place for results; each call returns at once or raises OSError when its reader is gone."""

    def result(self, result: Result) -> None: ...

    def event(self, event: Event) -> None: ...

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


def open_sink(form: str, out: Outlet, people: TextIO) -> Sink:
    """The sink for ``--format``: results go to ``out``; what only people want goes to ``people``."""
    if form == "jsonl":
        from edge_runtime.sinks.jsonl import JsonLinesSink

        return JsonLinesSink(out)
    if form == "text":
        from edge_runtime.sinks.text import TextSink

        return TextSink(out, people)
    raise UsageError(f"The format is {form!r}, expected one of {', '.join(FORMATS)}.")
