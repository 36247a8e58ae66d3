"""The MQTT messages: the state, an event, and Home Assistant's description of the device; pure functions."""

from __future__ import annotations

import re
from typing import Any

from edge_runtime.live.health_state import HealthState
from edge_runtime.live.live_state import LabelChange, Snapshot
from edge_runtime.outputs.mqtt.config import MqttConfig
from edge_runtime.system.thermal import SystemState
from edge_runtime.version import __version__

STATE_EVERY_S = 30.0
EXPIRE_AFTER_S = 100
DISCOVERY_PREFIX = "homeassistant"


def make_state_message(snapshot: Snapshot, system: SystemState) -> dict[str, Any]:
    """The state; ``label``, ``score`` and ``label_ts``, when its frame was looked at, are null while no label holds.
    Nothing has moved since ``still_since``, null while something moves or movement is not watched.
    """
    result = snapshot.result
    return {
        "label": (result.shown or None) if result else None,
        "score": round(result.shown_score, 4) if result and result.shown_score is not None else None,
        "label_ts": round(result.ts, 3) if result else None,
        "still_since": None if snapshot.still_since is None else round(snapshot.still_since, 1),
        "state": snapshot.state,
        "problem": "OFF" if snapshot.state in (HealthState.OK, HealthState.STARTING) else "ON",
        "reason": "" if snapshot.state is HealthState.OK else snapshot.reason,
        "fps": round(snapshot.rates.processed, 1),
        "latency_ms": None if snapshot.latency_p50_ms is None else round(snapshot.latency_p50_ms, 1),
        "temperature_c": None if system.temperature_c is None else round(system.temperature_c, 1),
        "throttled": list(system.throttle.now) if system.throttle else None,
        "model": snapshot.model.name if snapshot.model else None,
        "version": snapshot.model.version if snapshot.model else None,
    }


def make_state_key(message: dict[str, Any]) -> tuple[Any, ...]:
    """The parts of a state whose change is sent at once; numbers that always change wait for the next regular state."""
    told = tuple(message[name] for name in ("label", "state", "throttled", "model", "version"))
    return (*told, message["still_since"] is not None)


def make_label_event(change: LabelChange) -> dict[str, Any]:
    """A label change as an event; ``reason`` says why the label is unknown, and is present only then."""
    event = {"event": "label", "ts": round(change.ts, 3), "label": change.label, "score": round(change.score, 4)}
    return {**event, "reason": change.reason} if change.unknown else event


def make_health_event(state: str, reason: str, ts: float) -> dict[str, Any]:
    """A change of the camera's state as an event."""
    return {"event": "camera", "ts": round(ts, 3), "state": state, "reason": reason}


def make_discovery(config: MqttConfig, model: str) -> tuple[str, dict[str, Any]]:
    """The (topic, message) by which Home Assistant finds the device with all its sensors."""
    device = "edge_runtime_" + re.sub(r"[^A-Za-z0-9_-]+", "_", config.prefix)

    def sensor(key: str, name: str, field: str, **more: Any) -> dict[str, Any]:
        return {
            "platform": "sensor",
            "name": name,
            "unique_id": f"{device}_{key}",
            "value_template": "{{ value_json." + field + " }}",
            "expire_after": EXPIRE_AFTER_S,
            **more,
        }

    own = config.prefix.removeprefix("edge-runtime/")
    name = own.replace("/", " ") if own != config.prefix else own.rpartition("/")[2]
    measured = {"state_class": "measurement", "entity_category": "diagnostic"}
    confidence = sensor("confidence", "Confidence", "score", unit_of_measurement="%", state_class="measurement")
    confidence["value_template"] = "{{ (value_json.score * 100) | round(1) if value_json.score is not none else none }}"
    components = {
        "label": sensor("label", "Label", "label", icon="mdi:tag-outline"),
        "confidence": confidence,
        "problem": {
            "platform": "binary_sensor",
            "name": "Problem",
            "unique_id": f"{device}_problem",
            "device_class": "problem",
            "value_template": "{{ value_json.problem }}",
            "json_attributes_topic": config.topic("state"),
            "json_attributes_template": "{{ {'state': value_json.state, 'reason': value_json.reason} | tojson }}",
            "expire_after": EXPIRE_AFTER_S,
            "entity_category": "diagnostic",
        },
        # Unknown while something moves, or without --on-motion.
        "still_since": sensor("still_since", "Nothing has moved since", "still_since", device_class="timestamp")
        | {"value_template": "{{ value_json.still_since | as_datetime if value_json.still_since else none }}"},
        "fps": sensor("fps", "Frame rate", "fps", unit_of_measurement="fps", icon="mdi:speedometer", **measured),
        "latency": sensor(
            "latency", "Latency", "latency_ms", unit_of_measurement="ms", device_class="duration", **measured
        ),
        "temperature": sensor(
            "temperature",
            "Temperature",
            "temperature_c",
            unit_of_measurement="°C",
            device_class="temperature",
            **measured,
        ),
        "version": sensor("version", "Model version", "version", entity_category="diagnostic", icon="mdi:identifier"),
    }
    message = {
        "device": {
            "identifiers": [device],
            "name": name,
            "manufacturer": "edge-runtime",
            "model": model,
            "sw_version": __version__,
        },
        "origin": {"name": "edge-runtime", "sw_version": __version__},
        "components": components,
        "state_topic": config.topic("state"),
        "availability_topic": config.topic("availability"),
        "qos": 1,
    }
    return f"{DISCOVERY_PREFIX}/device/{device}/config", message
