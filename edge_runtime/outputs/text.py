"""Plain text: one line per label on stdout; events and the summary go to stderr, where people look."""

from __future__ import annotations

from typing import TextIO

from edge_runtime.live.rest import describe_last_known
from edge_runtime.live.results import Event, Percentiles, Result, Status
from edge_runtime.outputs.stdout import Outlet
from edge_runtime.system.clock import format_time_of_day
from edge_runtime.system.printable import printable

# States of a camera, or of an output that works again.
GOOD_STATES = ("starting", "ok")


class TextSink:
    """Writes labels to ``out`` and everything else to ``people``; with ``quiet`` only trouble."""

    def __init__(self, out: Outlet, people: TextIO, *, quiet: bool = False) -> None:
        self._out, self._people, self._quiet = out, people, quiet

    def result(self, result: Result) -> None:
        self._out.write(format_result_line(result))

    def event(self, event: Event) -> None:
        if self._quiet and (event.kind == "label" or event.state in GOOD_STATES):
            return
        print(printable(f"{event.kind}: {event.state}: {event.reason}"), file=self._people, flush=True)

    def status(self, status: Status) -> None:
        if self._quiet:
            return
        print(printable(format_status(status)), file=self._people, flush=True)


def format_result_line(result: Result) -> str:
    """``parrot 0.93  frame 12, 8 ms old``, with the runners-up in brackets; an image's name comes first;
    ``unknown (not sure) 0.41`` says why the label is unknown.
    """
    prediction = result.prediction
    score = result.shown_score
    why = f" ({prediction.reason})" if prediction.unknown and result.shown == prediction.label else ""
    shown = (result.shown or "(undecided)") + why + (f" {score:.2f}" if score is not None else "")
    others = ", ".join(f"{entry.label} {entry.score:.2f}" for entry in prediction.top if entry.label != result.shown)
    where = result.name if result.name else f"frame {result.seq}"
    age = "" if result.name else f"  {result.age_ms:.0f} ms old"
    return printable(f"{where}: {shown}{f'  ({others})' if others else ''}{age}")


def format_status(status: Status) -> str:
    """The summary that people see at the end of a run."""
    counts = status.counts
    notes = [f"{counts.processed} classified" if not counts.refused else f"{counts.processed} looked at"]
    notes += [f"{counts.refused} refused"] if counts.refused else []
    notes += [f"{counts.dropped} dropped" + (f" ({counts.too_old} too old)" if counts.too_old else "")]
    notes += [f"{counts.skipped} skipped on purpose"] if counts.skipped else []
    notes += [f"{counts.in_flight} in flight"] if counts.in_flight else []
    notes += [f"{counts.bad} damaged images"] if counts.bad else []
    notes += [f"{counts.restarts} camera restarts"] if counts.restarts else []
    lines = [
        f"{status.camera}: {counts.captured} frames in {status.seconds:.1f} s ({status.fps:.1f} labels per second): "
        f"{', '.join(notes)}.",
        f"Kernels {status.backend}"
        + (f", memory of all processes {status.memory_mb:.0f} MB." if status.memory_mb is not None else "."),
    ]
    lines += [f"Drift: {status.drift.removeprefix('drift: ')}."] if status.drift else []
    lines += [f"Candidate: {status.shadow.describe()}."] if status.shadow is not None else []
    if status.still_since is not None:
        since = format_time_of_day(status.still_since)
        lines += [f"Nothing has moved since {since}; {describe_last_known(status.last_known)}."]
    if status.age is not None:
        rows = {"frame age": status.age, **status.stages}
        lines += [f"{'ms':>12} {'p50':>8} {'p95':>8} {'p99':>8}"]
        lines += [f"{name:>12} {_row(values)}" for name, values in rows.items()]
    return "\n".join(lines)


def _row(values: Percentiles) -> str:
    return f"{values.p50:8.2f} {values.p95:8.2f} {values.p99:8.2f}"
