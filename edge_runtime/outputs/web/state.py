"""What the page, scripts and health checks read, as JSON objects; made from values, never from the loop itself."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from edge_runtime.live.health_state import HealthState
from edge_runtime.live.live_state import Snapshot
from edge_runtime.live.results import ShadowSummary
from edge_runtime.outputs.jsonl import make_shadow_object
from edge_runtime.system.thermal import WORDS, SystemState

VERSION = 1
# What the chip reports, and how serious it is.
CHIPS = {
    HealthState.OK: ("live", "good"),
    HealthState.STARTING: ("starting", "warn"),
    HealthState.DEGRADED: ("slow", "warn"),
    HealthState.STALE: ("slow", "bad"),
    HealthState.BLACK: ("black", "bad"),
    HealthState.FROZEN: ("frozen", "bad"),
    HealthState.DAMAGED: ("damaged images", "bad"),
    HealthState.NO_CAMERA: ("no camera", "bad"),
    HealthState.STALLED: ("stalled", "bad"),
}


def list_reasons(snapshot: Snapshot, system: SystemState) -> list[str]:
    """Everything that is not as it should be, in words; empty when all is well."""
    found = [] if snapshot.state is HealthState.OK else [snapshot.reason]
    return found + [WORDS[name] for name in (system.throttle.now if system.throttle else ())]


def make_health_object(snapshot: Snapshot, system: SystemState) -> dict[str, Any]:
    """The answer of a health check; ``status`` is ok or failing."""
    return {
        "v": VERSION,
        "status": "ok" if snapshot.healthy else "failing",
        "state": snapshot.state,
        "reasons": list_reasons(snapshot, system),
    }


def make_state_object(
    snapshot: Snapshot, system: SystemState, size_wh: tuple[int, int] | None, num_viewers: int
) -> dict[str, Any]:
    """All that the page shows; times in milliseconds, rates per second, ``label`` null when none holds now; ``rest``
    is for cameras that skip frames on purpose: since when nothing has moved, and whether the label is from an older
    frame.
    """
    word, level = CHIPS[snapshot.state]
    if "drift" in snapshot.causes and "low_fps" not in snapshot.causes:
        word = "drift"
    if snapshot.state is HealthState.OK and system.throttle is not None and system.throttle.now:
        word, level = "throttled", "warn"
    return {
        "v": VERSION,
        "type": "state",
        "health": {
            "state": snapshot.state,
            "chip": word,
            "level": level,
            "reasons": list_reasons(snapshot, system),
            "causes": list(snapshot.causes),
        },
        "camera": {"name": snapshot.camera, "size": size_wh, "fresh_ms": _fresh_ms(snapshot)},
        "rest": {
            "still_since": None if snapshot.still_since is None else round(snapshot.still_since, 3),
            "last_known": snapshot.is_last_known,
        },
        "label": _label(snapshot),
        "rates": {name: round(value, 1) for name, value in dataclasses.asdict(snapshot.rates).items()},
        "counts": dataclasses.asdict(snapshot.counts),
        "latency_ms": {"p50": _rounded(snapshot.latency_p50_ms), "p95": _rounded(snapshot.latency_p95_ms)},
        "model": dataclasses.asdict(snapshot.model) if snapshot.model else None,
        "system": {
            "temperature_c": _rounded(system.temperature_c),
            "throttled_now": list(system.throttle.now) if system.throttle else None,
            "throttled_since_boot": list(system.throttle.since_boot) if system.throttle else None,
        },
        "changes": [
            {
                "number": change.number,
                "ts": round(change.ts, 3),
                "label": change.label,
                "score": round(change.score, 4),
                "unknown": change.unknown,
                "reason": change.reason,
            }
            for change in reversed(snapshot.changes)
        ],
        "shadow": _shadow(snapshot.shadow),
        "viewers": num_viewers,
    }


def _label(snapshot: Snapshot) -> dict[str, Any] | None:
    result = snapshot.result
    if result is None:
        return None
    prediction = result.prediction
    return {
        "shown": result.shown,
        "unknown": prediction.unknown and result.shown == prediction.label,
        "reason": prediction.reason,
        "score": None if result.shown_score is None else round(result.shown_score, 4),
        "top": [{"label": entry.label, "score": round(entry.score, 4)} for entry in prediction.top],
        "seq": result.seq,
        "ts": round(result.ts, 3),
        "age_ms": round(result.age_ms, 1),
    }


def _shadow(shadow: ShadowSummary | None) -> dict[str, Any] | None:
    return None if shadow is None else {**(make_shadow_object(shadow) or {}), "words": shadow.describe()}


def _fresh_ms(snapshot: Snapshot) -> int | None:
    """How old a frame may be to be shown as the current one; None while nothing moves."""
    return None if math.isinf(snapshot.label_valid_s) else round(1e3 * snapshot.label_valid_s)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
