"""What ``--format`` may say, and the sink behind each."""

from __future__ import annotations

from typing import TextIO

from edge_runtime.errors import UsageError
from edge_runtime.live.observers import Sink
from edge_runtime.outputs.stdout import Outlet

FORMATS = ("text", "jsonl")


def open_sink(form: str, out: Outlet, people: TextIO) -> Sink:
    """The sink for ``form``: results go to ``out``; what only people want goes to ``people``."""
    if form == "jsonl":
        from edge_runtime.outputs.jsonl import JsonLinesSink

        return JsonLinesSink(out)
    if form == "text":
        from edge_runtime.outputs.text import TextSink

        return TextSink(out, people)
    raise UsageError(f"The format is {form!r}, expected one of {', '.join(FORMATS)}.")
