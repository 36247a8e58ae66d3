"""The values of ``--format``, and the sink behind each."""

from __future__ import annotations

from typing import TextIO

from edge_runtime.errors import UsageError
from edge_runtime.live.observers import Sink
from edge_runtime.outputs.stdout import Outlet

FORMATS = ("text", "jsonl")


def open_sink(form: str, out: Outlet, people: TextIO, *, changes_only: bool = False, quiet: bool = False) -> Sink:
    """The sink for ``form``: results go to ``out``; what only people need goes to ``people``.

    With ``changes_only`` a result goes out only when its label changes; with ``quiet`` people hear only of trouble.
    """
    if changes_only:
        from edge_runtime.outputs.changes import ChangesOnly

        return ChangesOnly(open_sink(form, out, people, quiet=quiet))
    if form == "jsonl":
        from edge_runtime.outputs.jsonl import JsonLinesSink

        return JsonLinesSink(out)
    if form == "text":
        from edge_runtime.outputs.text import TextSink

        return TextSink(out, people, quiet=quiet)
    raise UsageError(f"The format is {form!r}, expected one of {', '.join(FORMATS)}.")
