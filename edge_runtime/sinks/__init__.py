"""Where results go. A sink is told of results, events and the final status, and never talks back to the loop."""

from __future__ import annotations

from typing import Protocol, TextIO

from edge_runtime.errors import UsageError
from edge_runtime.results import Event, Result, Status

FORMATS = ("text", "jsonl")


class Sink(Protocol):
    """One place for results; each call returns at once or raises OSError when its reader is gone."""

    def result(self, result: Result) -> None: ...

    def event(self, event: Event) -> None: ...

    def status(self, status: Status) -> None: ...


def open_sink(form: str, out: TextIO, people: TextIO) -> Sink:
    """The sink for ``--format``: results go to ``out``; what only people want goes to ``people``."""
    if form == "jsonl":
        from edge_runtime.sinks.jsonl import JsonLinesSink

        return JsonLinesSink(out)
    if form == "text":
        from edge_runtime.sinks.text import TextSink

        return TextSink(out, people)
    raise UsageError(f"The format is {form!r}, expected one of {', '.join(FORMATS)}.")
