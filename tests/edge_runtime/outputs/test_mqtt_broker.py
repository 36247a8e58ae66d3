"""Publishing to a real mosquitto: plain and over TLS, with the broker stopped, silent, refusing or not to be trusted."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import socket
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.cameras.frame import Frame
from edge_runtime.errors import ConfigurationError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.postprocess import ClassScore, Prediction
from edge_runtime.live.health_state import HealthState
from edge_runtime.live.live_state import LiveState
from edge_runtime.live.results import Counts, Pulse, Result
from edge_runtime.outputs.mqtt.config import MqttConfig
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.thermal import SystemState
from tests.edge_runtime.make_certificates import make_authority, make_signed
from tests.patience import HANG_S, until

mqtt = pytest.importorskip("paho.mqtt.client")
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed (apt install mosquitto)")

# paho leaves a socket whose TLS handshake failed to the garbage collector, which closes it at once.
HANDSHAKE = pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl:pytest.PytestUnraisableExceptionWarning")
FRAME = Frame(np.zeros((4, 4, 3), np.uint8), 0, 0.0)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Broker:
    """A mosquitto on loopback that can be started and stopped, and a subscriber that remembers everything."""

    def __init__(self, folder: Path, lines: str = "", tls: bool = False) -> None:
        self.folder, self.port = folder, free_port()
        self._config = folder / "mosquitto.conf"
        access = "" if "password_file" in lines else "allow_anonymous true\n"
        self._config.write_text(f"listener {self.port} 127.0.0.1\n{access}{lines}\n")
        self.process: subprocess.Popen[bytes] | None = None
        self.heard: list[tuple[str, str, bool]] = []
        self._ca = folder / "ca.pem" if tls else None
        self._subscriber: Any = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._is_up)

    def _is_up(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
            return True
        return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(HANG_S)
            self.process = None

    def listen(self) -> None:
        subscriber = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        if self._ca is not None:
            subscriber.tls_set(str(self._ca))
        subscriber.on_connect = lambda client, *_: client.subscribe("#", 1)
        subscribed = threading.Event()
        subscriber.on_subscribe = lambda *_: subscribed.set()
        subscriber.on_message = lambda _client, _data, message: self.heard.append(
            (message.topic, message.payload.decode(), bool(message.retain))
        )
        subscriber.reconnect_delay_set(1, 1)
        subscriber.connect("localhost", self.port)
        subscriber.loop_start()
        self._subscriber = subscriber
        assert subscribed.wait(HANG_S), "what is not retained would be missed"

    def close(self) -> None:
        if self._subscriber is not None:
            self._subscriber.disconnect()
            self._subscriber.loop_stop()
        self.stop()

    def on(self, topic: str) -> list[str]:
        return [payload for name, payload, _ in list(self.heard) if name == topic]

    def states(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.on("home/door/state")]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    server = Broker(tmp_path)
    server.start()
    yield server
    server.close()


@pytest.fixture
def publish(toy: Classifier) -> Iterator[Callable[..., Any]]:
    """Starts publishing a live state to a broker: (the state, the output)."""
    from edge_runtime.outputs.mqtt.client import MqttOutput

    with contextlib.ExitStack() as stack:

        def start(config: MqttConfig) -> Any:
            live = LiveState()
            live.model(toy)
            output = stack.enter_context(contextlib.closing(MqttOutput(config, live, lambda: SystemState(50.0))))
            return live, output

        yield start


def to(broker: Broker, **more: Any) -> MqttConfig:
    return MqttConfig("127.0.0.1", broker.port, more.pop("tls", False), "home/door", **more)


def show(live: LiveState, label: str, state: str = "ok", now_s: float | None = None) -> None:
    live.pulse(
        Pulse(monotonic_s() if now_s is None else now_s, "door", HealthState(state), f"it is {state}", Counts(1, 1))
    )
    if state == "ok":
        top = (ClassScore(label, 0.9),)
        live.frame(FRAME, Result(1, time.time(), 5.0, Prediction(0, label, 0.9, top, False), 0))


def test_state_events_availability_and_discovery_arrive(broker: Broker, publish: Callable[..., Any]) -> None:
    broker.listen()
    live, output = publish(to(broker))
    show(live, "cat")
    until(lambda: any(state["label"] == "cat" for state in broker.states()))
    show(live, "cat", "frozen")
    until(lambda: broker.states()[-1]["state"] == "frozen")
    assert broker.states()[-1]["label"] is None and broker.states()[-1]["problem"] == "ON"
    assert broker.on("home/door/availability") == ["online"]
    device = json.loads(broker.on("homeassistant/device/edge_runtime_home_door/config")[0])
    assert device["components"]["label"]["expire_after"] == 100
    until(lambda: len(broker.on("home/door/event")) >= 3)
    events = [json.loads(event) for event in broker.on("home/door/event")]
    assert [event.get("label") for event in events if event["event"] == "label"] == ["cat"]
    assert [event["state"] for event in events if event["event"] == "camera"] == ["ok", "frozen"]
    assert output.take_events() == []


def test_who_comes_later_gets_the_next_regular_state_and_no_old_one(
    broker: Broker, publish: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.outputs.mqtt.client.STATE_EVERY_S", 1.0)
    live, output = publish(to(broker))
    show(live, "cat")
    until(lambda: not output._events and output._is_accepted)
    time.sleep(0.3)
    broker.listen()
    until(lambda: broker.on("home/door/state"))
    retained = {topic for topic, _, is_retained in broker.heard if is_retained}
    assert retained == {
        "home/door/availability",
        "homeassistant/device/edge_runtime_home_door/config",
    }
    output.close()
    until(lambda: broker.on("home/door/availability")[-1] == "offline")


def test_another_run_on_the_prefix_is_told_once_and_so_is_its_end(
    broker: Broker, publish: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edge_runtime.outputs.mqtt.client.STATE_EVERY_S", 0.2)
    monkeypatch.setattr("edge_runtime.outputs.mqtt.client.NEIGHBOUR_GONE_S", 1.0)
    live, output = publish(to(broker))
    other_live, other = publish(to(broker))
    show(live, "cat")
    show(other_live, "dog")
    for each in (output, other):
        events: list[Any] = []
        until(lambda each=each, events=events: events.extend(each.take_events()) or events)  # type: ignore[misc]
        assert [(event.kind, event.state) for event in events] == [("mqtt-prefix", "failing")]
        assert "someone else publishes to home/door/state on mqtt://127.0.0.1" in events[0].reason
        assert "a prefix of its own" in events[0].reason
    assert "someone else publishes" in caplog.text
    other.close()
    events = []
    until(lambda: events.extend(output.take_events()) or events)
    assert [(event.kind, event.state) for event in events] == [("mqtt-prefix", "ok")]


def test_a_run_alone_and_its_predecessor_are_nobody_else(
    broker: Broker, publish: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.outputs.mqtt.client.STATE_EVERY_S", 0.1)
    broker.listen()
    broker._subscriber.publish("home/door/state", "{}", 1, retain=True).wait_for_publish(5)
    live, output = publish(to(broker))
    show(live, "cat")
    until(lambda: len(broker.states()) >= 5)
    assert output.take_events() == []


def test_the_state_comes_again_when_nothing_changes(
    broker: Broker, publish: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.outputs.mqtt.client.STATE_EVERY_S", 0.3)
    broker.listen()
    live, _ = publish(to(broker))
    show(live, "cat", "frozen")
    until(lambda: len(broker.states()) >= 4)
    assert len({state["ts"] for state in broker.states()}) == len(broker.states())


def test_a_goodbye_of_another_run_is_taken_back_although_the_label_changes_all_the_time(
    broker: Broker, publish: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.outputs.mqtt.client.STATE_EVERY_S", 0.6)
    broker.listen()
    live, _ = publish(to(broker))
    until(lambda: broker.on("home/door/availability") == ["online"])
    broker._subscriber.publish("home/door/availability", "offline", 1, retain=True).wait_for_publish(5)
    labels = itertools.cycle(("cat", "dog"))

    def is_back() -> bool:
        show(live, next(labels))  # another state in each round, far more often than a regular one
        time.sleep(0.1)
        return broker.on("home/door/availability")[-1:] == ["online"] and "offline" in broker.on(
            "home/door/availability"
        )

    until(is_back)
    assert len(broker.states()) > 2


def test_a_killed_process_leaves_its_last_will(broker: Broker) -> None:
    import sys

    broker.listen()
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_runtime", "run", "--camera", "synthetic:@5", "--mqtt", f"mqtt://127.0.0.1:{broker.port}/home/door"],
        cwd=Path(__file__).parents[3], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: any(state["label"] for state in broker.states()))
    process.kill()
    process.wait(HANG_S)
    until(lambda: len(broker.on("home/door/availability")) == 2)
    assert broker.on("home/door/availability") == ["online", "offline"]


def test_after_the_broker_s_return_the_last_state_and_the_events_come(
    tmp_path: Path, publish: Callable[..., Any]
) -> None:
    broker = Broker(tmp_path)
    broker.start()
    live, output = publish(to(broker))
    show(live, "cat")
    until(lambda: output._is_accepted and not output._events)
    broker.stop()
    until(lambda: [event.state for event in output.take_events()] == ["failing"])
    live._is_change._spacing_s = 0.0
    show(live, "dog")
    show(live, "bird")
    broker.start()
    broker.listen()
    until(lambda: broker.states() and broker.states()[-1]["label"] == "bird")
    from edge_runtime.outputs.mqtt.client import RETRY_CAP_S

    assert RETRY_CAP_S < 5, "so long it waits at most between two attempts"
    until(lambda: len([event for event in broker.on("home/door/event") if "bird" in event]) == 1)
    until(lambda: [event.state for event in output.take_events()] == ["ok"])
    broker.close()


@pytest.mark.slow
def test_ten_minutes_without_a_broker_cost_no_memory(toy: Classifier, clock: Any) -> None:
    from edge_runtime.outputs.mqtt.client import MAX_EVENTS, MqttOutput

    live = LiveState(clock=clock)
    live.model(toy)
    live._is_change._spacing_s = 0.0
    output = MqttOutput(MqttConfig("127.0.0.1", free_port(), False, "home/door"), live, SystemState)
    output.close()  # its thread; the 6,000 messages of ten minutes are collected by hand
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(6000):
        clock.now_s += 0.1
        show(live, f"label {number}", now_s=clock.now_s)
        output._collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(output._events) == MAX_EVENTS
    assert "label 5999" in output._events[-1]
    assert grown < 200_000


@pytest.mark.slow
def test_a_broker_that_accepts_and_never_speaks_is_given_up_and_tried_again(
    publish: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.outputs.mqtt.client.CONNECT_S", 0.3)
    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connections.append(silent.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        config = MqttConfig("127.0.0.1", silent.getsockname()[1], False, "home/door")
        _, output = publish(config)
        until(lambda: len(connections) >= 3)
        (event,) = output.take_events()
        output.close()
        silent.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    for connection in connections:
        connection.close()
    assert "does not answer; check the broker" in event.reason


def test_a_refused_login_is_told_in_words(tmp_path: Path, publish: Callable[..., Any]) -> None:
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed")
    subprocess.run([tool, "-b", "-c", str(tmp_path / "users"), "pi", "right"], check=True, capture_output=True)
    (tmp_path / "users").chmod(0o644)
    broker = Broker(tmp_path, f"password_file {tmp_path}/users\nuser root")
    broker.start()
    events: list[Any] = []
    _, output = publish(to(broker, user="pi", password="wrong"))
    until(lambda: events.extend(output.take_events()) or events)
    assert "refuses the login (Not authorized)" in events[0].reason
    assert "wrong" not in events[0].reason
    _, output = publish(to(broker, user="pi", password="right"))
    until(lambda: output._is_accepted)
    broker.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a certificate for localhost and one for another host."""
    folder = tmp_path_factory.mktemp("certificates")
    make_authority(folder)
    make_signed(folder, "right", "DNS:localhost")
    make_signed(folder, "other", "DNS:elsewhere.example")
    for path in folder.iterdir():
        path.chmod(0o644)
    folder.chmod(0o755)
    return folder


@pytest.fixture
def tls_broker(tmp_path: Path, certificates: Path) -> Iterator[Callable[[str], Broker]]:
    brokers: list[Broker] = []

    def start(name: str) -> Broker:
        shutil.copy(certificates / "ca.pem", tmp_path / "ca.pem")
        lines = f"certfile {certificates}/{name}.pem\nkeyfile {certificates}/{name}.key\nuser root"
        brokers.append(Broker(tmp_path, lines, tls=True))
        brokers[0].start()
        return brokers[0]

    yield start
    for broker in brokers:
        broker.close()


def test_over_tls_with_a_trusted_certificate_everything_arrives(
    tls_broker: Callable[[str], Broker], publish: Callable[..., Any]
) -> None:
    broker = tls_broker("right")
    broker.listen()
    live, _ = publish(MqttConfig("localhost", broker.port, True, "home/door", ca_file=str(broker.folder / "ca.pem")))
    show(live, "cat")
    until(lambda: any(state["label"] == "cat" for state in broker.states()))
    assert broker.on("home/door/availability") == ["online"]


@HANDSHAKE
@pytest.mark.parametrize(
    ("certificate", "trusted", "words"),
    [("right", False, "self-signed certificate|unable to get local issuer"), ("other", True, "Hostname mismatch")],
)
def test_a_certificate_that_is_not_trusted_or_another_host_s_is_refused(
    tls_broker: Callable[[str], Broker], publish: Callable[..., Any], certificate: str, trusted: bool, words: str
) -> None:
    import re

    broker = tls_broker(certificate)
    events: list[Any] = []
    ca_file = str(broker.folder / "ca.pem") if trusted else None
    live, output = publish(MqttConfig("localhost", broker.port, True, "home/door", ca_file=ca_file))
    show(live, "cat")
    until(lambda: events.extend(output.take_events()) or events)
    assert "is not accepted" in events[0].reason and "give the file of its authority" in events[0].reason
    assert re.search(words, events[0].reason)
    assert not output._is_accepted


@HANDSHAKE
def test_tls_never_falls_back_to_a_plain_connection(broker: Broker, publish: Callable[..., Any]) -> None:
    broker.listen()
    events: list[Any] = []
    live, output = publish(to(broker, tls=True))
    show(live, "cat")
    until(lambda: events.extend(output.take_events()) or events)
    assert "whether it speaks TLS" in events[0].reason
    time.sleep(1.0)
    assert broker.heard == []


def test_a_file_that_is_no_certificate_is_told_at_the_start(tmp_path: Path) -> None:
    from edge_runtime.outputs.mqtt.client import MqttOutput

    (tmp_path / "ca.pem").write_text("no certificate")
    config = MqttConfig("localhost", 8883, True, "home/door", ca_file=str(tmp_path / "ca.pem"))
    with pytest.raises(ConfigurationError, match=r"The certificate file .* cannot be used .* expected a PEM file"):
        MqttOutput(config, LiveState(), SystemState)


def test_the_model_is_told_as_soon_as_it_is_known(broker: Broker, toy: Classifier) -> None:
    from edge_runtime.outputs.mqtt.client import MqttOutput

    broker.listen()
    live, topic = LiveState(), "homeassistant/device/edge_runtime_home_door/config"
    with contextlib.closing(MqttOutput(to(broker), live, lambda: SystemState(50.0))):
        until(lambda: len(broker.on(topic)) == 1)
        live.model(toy)
        until(lambda: len(broker.on(topic)) == 2)
    models = [json.loads(message)["device"]["model"] for message in broker.on(topic)]
    assert models == ["", toy.contract.spec.name]
