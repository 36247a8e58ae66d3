"""JSON lines: one object a line for other programs, each with a version and a type, flushed at once."""

from __future__ import annotations

import dataclasses
from typing import Any

from edge_runtime.live.results import Event, LastKnown, Result, ShadowSummary, Status
from edge_runtime.outputs.stdout import Outlet
from edge_runtime.system.json_line import to_json_line

VERSION = 1
_SHADOW_TIMES = ("p50_ms", "p95_ms", "used_p50_ms")


class JsonLinesSink:
    """Writes results, events and the status as lines of JSON to ``out``."""

    def __init__(self, out: Outlet) -> None:
        self._out = out

    def result(self, result: Result) -> None:
        self._write(make_result_object(result))

    def event(self, event: Event) -> None:
        self._write(make_event_object(event))

    def status(self, status: Status) -> None:
        self._write(make_status_object(status))

    def _write(self, line: dict[str, Any]) -> None:
        self._out.write(to_json_line(line))


def make_result_object(result: Result) -> dict[str, Any]:
    """The JSON object of a result; ``reason``, ``similarity``, ``name``, ``held`` and ``held_score`` only where they
    apply.
    """
    prediction = result.prediction
    line = {
        "v": VERSION,
        "type": "prediction",
        "seq": result.seq,
        "ts": round(result.ts, 3),
        "age_ms": round(result.age_ms, 2),
        "label": prediction.label,
        "score": round(prediction.score, 6),
        "top": [{"label": entry.label, "score": round(entry.score, 6)} for entry in prediction.top],
        "dropped": result.dropped,
    }
    if prediction.unknown:
        line["reason"] = prediction.reason
    if prediction.similarity is not None:
        line["similarity"] = round(prediction.similarity, 4)
    if result.name:
        line["name"] = result.name
    if result.held is not None:
        line["held"] = result.held
        line["held_score"] = None if result.held_score is None else round(result.held_score, 6)
    return line


def make_event_object(event: Event) -> dict[str, Any]:
    """The JSON object of an event; ``last_known`` only where movement ended."""
    line = {
        "v": VERSION,
        "type": "event",
        "ts": round(event.ts, 3),
        "event": event.kind,
        "state": event.state,
        "reason": event.reason,
    }
    return line if event.last_known is None else {**line, "last_known": make_last_known_object(event.last_known)}


def make_last_known_object(known: LastKnown | None) -> dict[str, Any] | None:
    """The label that was shown last, with its time."""
    if known is None:
        return None
    score = None if known.score is None else round(known.score, 6)
    return {"label": known.label, "score": score, "ts": round(known.ts, 3)}


def make_status_object(status: Status) -> dict[str, Any]:
    """The JSON object of a status; times in milliseconds, memory in 10^6 bytes."""
    return {
        "v": VERSION,
        "type": "status",
        "ts": round(status.ts, 3),
        "camera": status.camera,
        "backend": status.backend,
        "seconds": round(status.seconds, 3),
        "fps": round(status.fps, 2),
        **dataclasses.asdict(status.counts),
        "age_ms": _rounded(dataclasses.asdict(status.age)) if status.age else None,
        "stages_ms": {name: _rounded(dataclasses.asdict(values)) for name, values in status.stages.items()},
        "memory_mb": status.memory_mb,
        "drift": status.drift,
        "last_known": make_last_known_object(status.last_known),
        "still_since": None if status.still_since is None else round(status.still_since, 3),
        "shadow": make_shadow_object(status.shadow),
    }


def make_shadow_object(shadow: ShadowSummary | None) -> dict[str, Any] | None:
    """The JSON object on how the candidate of a run did; times in milliseconds."""
    if shadow is None:
        return None
    value = dataclasses.asdict(shadow)
    times = {name: None if value[name] is None else round(value[name], 3) for name in _SHADOW_TIMES}
    share = None if shadow.share is None else round(shadow.share, 4)
    return {**value, **times, "share": share, "num_differing": shadow.num_differing}


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}
