"""MQTT without a broker: addresses, passwords, messages, and Home Assistant's description."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from edge_runtime.errors import ConfigurationError, MissingInputError, UsageError
from edge_runtime.inference.postprocess import ClassScore, Prediction
from edge_runtime.live.health_state import HealthState
from edge_runtime.live.live_state import LabelChange, ModelFacts, Rates, Snapshot
from edge_runtime.live.results import Counts, Result
from edge_runtime.outputs.mqtt.config import MqttConfig, default_prefix, parse_mqtt
from edge_runtime.outputs.mqtt.messages import (
    EXPIRE_AFTER_S,
    STATE_EVERY_S,
    make_discovery,
    make_health_event,
    make_label_event,
    make_state_key,
    make_state_message,
)
from edge_runtime.system.thermal import SystemState, Throttle


@pytest.fixture(autouse=True)
def no_password_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_RUNTIME_MQTT_PASSWORD", raising=False)


def snapshot(state: str = "ok", label: str = "cat") -> Snapshot:
    prediction = Prediction(0, label, 0.912345, (ClassScore(label, 0.912345),), False)
    result = Result(1, 1.7e9, 5.0, prediction, 0) if state == "ok" else None
    facts = ModelFacts("pets", "0123456789ab", "litert 2.3.0", 0.5, 0.9, 1000, "not signed")
    return Snapshot(
        "door", HealthState(state), f"it is {state}", result, Counts(), Rates(30, 29.96, 0.04), 7.26, 9.0, facts, ()
    )


def test_an_undecided_label_has_no_score_and_a_held_one_has_its_own() -> None:
    now, system = snapshot(), SystemState()
    assert now.result is not None
    undecided = dataclasses.replace(now, result=dataclasses.replace(now.result, held=""))
    held = dataclasses.replace(now, result=dataclasses.replace(now.result, held="dog", held_score=0.5))
    found = [make_state_message(each, system) for each in (undecided, held)]
    assert [(each["label"], each["score"]) for each in found] == [(None, None), ("dog", 0.5)]


def test_addresses_are_read_with_their_defaults(tmp_path: Path) -> None:
    assert parse_mqtt("mqtts://broker.lan/home/door") == MqttConfig("broker.lan", 8883, True, "home/door")
    config = parse_mqtt("mqtt://pi@127.0.0.1:1999")
    assert (config.host, config.port, config.tls, config.user) == ("127.0.0.1", 1999, False, "pi")
    assert config.prefix.startswith("edge-runtime/")
    assert parse_mqtt("mqtts://[::1]/x").shown == "mqtts://[::1]:8883"


@pytest.mark.parametrize("address", ["broker.lan", "http://broker.lan", "mqtt://", "mqtts://host/x?y=1"])
def test_other_addresses_are_usage_errors(address: str) -> None:
    with pytest.raises(UsageError, match=r"`mqtt` is .*, expected mqtts://"):
        parse_mqtt(address)


def test_a_port_and_a_prefix_that_cannot_be_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="port that is no number from 0 to 65535"):
        parse_mqtt("mqtt://host:99999")
    with pytest.raises(UsageError, match=r"The MQTT prefix is 'a/\+/b', expected topic levels without"):
        parse_mqtt("mqtt://host/a/+/b")


def test_the_password_comes_from_a_file_or_the_environment_never_from_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        ConfigurationError, match=r"in `mqtt`, where every process list shows it.*`mqtt_password_file`"
    ) as caught:
        parse_mqtt("mqtts://pi:hunter2@host")
    assert "hunter2" not in str(caught.value)
    (tmp_path / "password").write_text("from the file\n")
    monkeypatch.setenv("EDGE_RUNTIME_MQTT_PASSWORD", "from outside")
    assert parse_mqtt("mqtts://pi@host").password == "from outside"
    assert parse_mqtt("mqtts://pi@host", str(tmp_path / "password")).password == "from the file"


def test_settings_that_cannot_work_are_told_before_anything_connects(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("x")
    with pytest.raises(MissingInputError, match="There is no password file"):
        parse_mqtt("mqtts://pi@host", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match=r"The password file .* cannot be read"):
        parse_mqtt("mqtts://pi@host", str(tmp_path))
    with pytest.raises(ConfigurationError, match="There is an MQTT password but no user"):
        parse_mqtt("mqtts://host", str(tmp_path / "password"))
    with pytest.raises(ConfigurationError, match="`mqtt_ca` is for mqtts://"):
        parse_mqtt("mqtt://host", mqtt_ca=str(tmp_path / "password"))
    with pytest.raises(MissingInputError, match="There is no certificate file"):
        parse_mqtt("mqtts://host", mqtt_ca=str(tmp_path / "none"))


def test_a_password_over_a_plain_connection_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "password").write_text("x")
    parse_mqtt("mqtt://pi@127.0.0.1", str(tmp_path / "password"))
    assert caplog.text == ""
    parse_mqtt("mqtt://pi@broker.lan", str(tmp_path / "password"))
    assert "sends the password readable over the network to broker.lan" in caplog.text


def test_the_state_is_flat_json_without_a_label_that_does_not_hold() -> None:
    message = make_state_message(snapshot(), SystemState(48.04, Throttle(4)))
    assert message == {
        "label": "cat", "score": 0.9123, "state": "ok", "problem": "OFF", "reason": "", "fps": 30.0, "latency_ms": 7.3,
        "temperature_c": 48.0, "throttled": ["throttled"], "model": "pets", "version": "0123456789ab",
        "label_ts": 1700000000.0, "still_since": None,
    }  # fmt: skip
    message = make_state_message(snapshot("frozen"), SystemState())
    assert (message["label"], message["score"], message["problem"], message["reason"]) == (
        None,
        None,
        "ON",
        "it is frozen",
    )
    assert message["temperature_c"] is message["throttled"] is None


def test_a_label_or_a_state_is_worth_sending_at_once_and_a_moving_number_is_not() -> None:
    first = make_state_message(snapshot(), SystemState(48.0))
    assert make_state_key(first) == make_state_key(
        {**first, "score": 0.5, "fps": 1.0, "temperature_c": 80.0, "latency_ms": 3.0}
    )
    assert make_state_key(first) != make_state_key({**first, "label": "dog"})
    assert make_state_key(first) != make_state_key({**first, "state": "black"})


def test_events_say_what_changed() -> None:
    assert make_label_event(LabelChange(3, 1.7e9, "cat", 0.9, False)) == {
        "event": "label", "ts": 1.7e9, "label": "cat", "score": 0.9,
    }  # fmt: skip
    assert make_health_event("frozen", "same image", 1.7e9)["state"] == "frozen"


def test_the_event_of_an_unknown_label_says_why() -> None:
    change = LabelChange(4, 1.7e9, "unknown", 0.4, True, "unlike anything seen in training")
    assert make_label_event(change)["reason"] == "unlike anything seen in training"


def test_home_assistant_gets_one_device_with_its_sensors() -> None:
    config = parse_mqtt("mqtts://broker.lan/home/front door")
    topic, message = make_discovery(config, "pets")
    assert topic == "homeassistant/device/edge_runtime_home_front_door/config"
    assert set(message["components"]) == {
        *("label", "confidence", "problem", "still_since", "fps", "latency", "temperature", "version")
    }
    still = message["components"]["still_since"]
    assert still["device_class"] == "timestamp" and "value_json.still_since | as_datetime if" in still["value_template"]
    identifiers = [component["unique_id"] for component in message["components"].values()]
    assert len(set(identifiers)) == 8
    assert all(
        component["expire_after"] == EXPIRE_AFTER_S > 3 * STATE_EVERY_S for component in message["components"].values()
    )
    assert message["state_topic"] == "home/front door/state"
    assert message["availability_topic"] == "home/front door/availability"
    assert message["origin"]["name"] == "edge-runtime"
    assert len(json.dumps(message)) < 4000
    fields = set(make_state_message(snapshot(), SystemState()))
    for component in message["components"].values():
        assert any(f"value_json.{field} " in component["value_template"] + " " for field in fields) or "score" in str(
            component
        )


def test_two_cameras_and_two_machines_of_one_name_have_prefixes_of_their_own(tmp_path: Path) -> None:
    prefixes = set()
    for machine in ("one", "two"):
        (tmp_path / machine / "etc").mkdir(parents=True)
        (tmp_path / machine / "etc/machine-id").write_text(machine)
        for camera in ("/dev/video0", "/dev/video2", "rtsp://10.0.0.9:554"):
            prefixes.add(default_prefix(camera, root=tmp_path / machine))
        for address in ("rtsp://a:b@10.0.0.9:554/live/1", "rtsp://10.0.0.9:554/live/2"):
            prefixes.add(default_prefix("rtsp://10.0.0.9:554", address, tmp_path / machine))
    assert len(prefixes) == 10
    assert any(prefix.endswith("/rtsp-10-0-0-9-554") for prefix in prefixes)
    user, other = (default_prefix("rtsp://c", f"rtsp://{user}c/1", tmp_path / "one") for user in ("", "a:b@"))
    assert user == other
    assert parse_mqtt("mqtt://host", camera="/dev/video0").prefix.endswith("/dev-video0")
    assert parse_mqtt("mqtt://host/home/door", camera="/dev/video0").prefix == "home/door"


def test_a_camera_that_is_starting_is_no_problem_yet() -> None:
    assert make_state_message(snapshot("starting"), SystemState())["problem"] == "OFF"
