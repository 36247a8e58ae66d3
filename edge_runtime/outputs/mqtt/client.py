"""Publishes the run to an MQTT broker (extra ``mqtt``), from a thread that reads `LiveState`, never from the loop.

It publishes, and subscribes only to its own state topic, to notice another run there. While the broker is unreachable,
only the newest state and the last hundred events are kept. Every connection is a new client, so nothing of a broken one
survives; a plain connection is never tried where TLS was asked for.
"""

from __future__ import annotations

import ssl
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from edge_runtime.errors import ConfigurationError
from edge_runtime.live.health_state import HealthState
from edge_runtime.live.live_state import LiveState
from edge_runtime.live.results import Event
from edge_runtime.outputs.mqtt.config import MqttConfig
from edge_runtime.outputs.mqtt.messages import (
    STATE_EVERY_S,
    make_discovery,
    make_health_event,
    make_label_event,
    make_state_key,
    make_state_message,
)
from edge_runtime.outputs.trouble import OutputTrouble
from edge_runtime.system.backoff import Backoff
from edge_runtime.system.clock import monotonic_s, read_wall_time_s
from edge_runtime.system.json_line import to_json_line
from edge_runtime.system.thermal import SystemState

try:
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
except ImportError as missing:
    raise ConfigurationError(f"MQTT needs paho-mqtt ({missing}): pip install 'edge-runtime[mqtt]'.") from missing

POLL_S = 0.1
CONNECT_S = 3.0
KEEPALIVE_S = 10
FIRST_RETRY_S, RETRY_CAP_S = 0.5, 3.0
MAX_EVENTS = 100
MAX_IN_FLIGHT = 20
GOODBYE_S = 0.7
NEIGHBOUR_GONE_S = 3 * STATE_EVERY_S


class MqttOutput:
    """Publishes until closed; `take_events` reports when the broker goes and comes back.

    Raises:
        ConfigurationError: the authority file is not a certificate.
    """

    def __init__(self, config: MqttConfig, live: LiveState, system: Callable[[], SystemState]) -> None:
        self._config, self._live, self._system = config, live, system
        self._tls = _tls_context(config)
        self._trouble = OutputTrouble("mqtt")
        self._neighbour = OutputTrouble("mqtt-prefix")
        self._neighbour_heard_s: float | None = None
        self._sent_states: deque[bytes] = deque(maxlen=MAX_EVENTS)
        self._introduced: str | None = None
        self._events: deque[str] = deque(maxlen=MAX_EVENTS)
        self._sent: dict[int, str] = {}
        self._last_change, self._last_state = 0, HealthState.STARTING
        self._stop = threading.Event()
        self._is_accepted = False
        self._refusal = ""
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()

    def take_events(self) -> list[Event]:
        return self._trouble.take_events() + self._neighbour.take_events()

    def close(self) -> None:
        """Says goodbye to the broker, for at most 2 s."""
        self._stop.set()
        self._thread.join(2.0)

    def _run(self) -> None:
        backoff = Backoff(FIRST_RETRY_S, RETRY_CAP_S)
        while not self._stop.is_set():
            client = self._new_client()
            try:
                client.connect(self._config.host, self._config.port, KEEPALIVE_S)
            except ssl.SSLCertVerificationError as error:
                self._trouble.failed(
                    f"the certificate of {self._config.shown} is not accepted ({error.verify_message}); "
                    "give the file of its authority, and use the host name that it was made for"
                )
            except (OSError, ValueError) as error:
                self._trouble.failed(
                    f"{self._config.shown} cannot be reached ({error}); check address, port and whether it speaks "
                    f"{'TLS' if self._config.tls else 'MQTT without TLS'}"
                )
            else:
                if self._serve(client):
                    backoff.reset()
            _cut(client)
            deadline_s = monotonic_s() + backoff.next_s()
            while not self._stop.wait(POLL_S) and monotonic_s() < deadline_s:
                self._collect()

    def _new_client(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages_set(MAX_IN_FLIGHT)
        client.max_queued_messages_set(MAX_EVENTS)
        client.will_set(self._config.topic("availability"), "offline", 1, retain=True)
        if self._config.user is not None:
            client.username_pw_set(self._config.user, self._config.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        self._is_accepted, self._refusal = False, ""
        return client

    def _serve(self, client: Client) -> bool:
        """Publishes over one connection until it breaks; true if the broker had accepted it."""
        deadline_s = monotonic_s() + CONNECT_S
        state_due_s, last_key, greeted = 0.0, None, False
        online_due_s = monotonic_s() + STATE_EVERY_S
        while not self._stop.is_set():
            code = client.loop(POLL_S)
            self._collect()
            if self._is_accepted and not greeted:
                greeted = True
                self._greet(client)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or (not self._is_accepted and monotonic_s() > deadline_s):
                reason = self._refusal or ("broke the connection" if self._is_accepted else "does not answer")
                self._trouble.failed(f"{self._config.shown} {reason}; check the broker and its log")
                return self._is_accepted
            if not greeted:
                continue
            snapshot = self._live.snapshot()
            self._introduce(client, snapshot.model.name if snapshot.model else "")
            message = make_state_message(snapshot, self._system())
            if monotonic_s() >= online_due_s:
                # Sent even when no state changes: another run with our prefix may have said goodbye in the meantime.
                online_due_s = monotonic_s() + STATE_EVERY_S
                client.publish(self._config.topic("availability"), "online", 1, retain=True)
            if make_state_key(message) != last_key or monotonic_s() >= state_due_s:
                last_key, state_due_s = make_state_key(message), monotonic_s() + STATE_EVERY_S
                message["ts"] = round(read_wall_time_s(), 3)
                self._sent_states.append(to_json_line(message).encode())
                # Not retained: after a restart of Home Assistant an old state would look new until it expires.
                client.publish(self._config.topic("state"), self._sent_states[-1], 1)
            self._forget_neighbour()
            while self._events and len(self._sent) < MAX_IN_FLIGHT:
                event = self._events.popleft()
                self._sent[client.publish(self._config.topic("event"), event, 1).mid] = event
        self._say_goodbye(client)
        return True

    def _greet(self, client: Client) -> None:
        """Sends what a new connection starts with, and again the events that the broker has not acknowledged."""
        self._trouble.worked(f"publishing to {self._config.shown}")
        self._events = deque([*self._sent.values(), *self._events], MAX_EVENTS)
        self._sent.clear()
        self._introduced = None
        snapshot = self._live.snapshot()
        self._introduce(client, snapshot.model.name if snapshot.model else "")
        client.publish(self._config.topic("availability"), "online", 1, retain=True)
        client.subscribe(self._config.topic("state"), 0)  # a broker may refuse; then other runs go unnoticed

    def _introduce(self, client: Client, model: str) -> None:
        """Sends the description of the device, and again when the model becomes known or changes."""
        if model == self._introduced:
            return
        self._introduced = model
        topic, message = make_discovery(self._config, model)
        client.publish(topic, to_json_line(message), 1, retain=True)

    def _collect(self) -> None:
        """Turns the changes since the last call into events."""
        snapshot = self._live.snapshot()
        for change in snapshot.changes:
            if change.number > self._last_change:
                self._last_change = change.number
                self._events.append(to_json_line(make_label_event(change)))
        if snapshot.state != self._last_state:
            self._last_state = snapshot.state
            self._events.append(to_json_line(make_health_event(snapshot.state, snapshot.reason, read_wall_time_s())))

    def _say_goodbye(self, client: Client) -> None:
        if not self._is_accepted:
            return
        last = client.publish(self._config.topic("availability"), "offline", 1, retain=True)
        deadline_s = monotonic_s() + GOODBYE_S
        while not last.is_published() and monotonic_s() < deadline_s:
            if client.loop(POLL_S) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
        client.disconnect()

    def _on_connect(self, client: Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._is_accepted = not reason.is_failure
        if reason.is_failure:
            self._refusal = f"refuses the login ({reason})"

    def _on_message(self, client: Client, userdata: Any, message: Any) -> None:
        """Reports a state that is not ours; a retained one may be from an earlier run."""
        if message.retain or message.payload in self._sent_states:
            return
        self._neighbour_heard_s = monotonic_s()
        self._neighbour.failed(
            f"someone else publishes to {message.topic} on {self._config.shown} too, so each ends the other's "
            "availability; give every run a prefix of its own, or none for one that is made of the machine and camera"
        )

    def _forget_neighbour(self) -> None:
        if self._neighbour_heard_s is not None and monotonic_s() - self._neighbour_heard_s > NEIGHBOUR_GONE_S:
            self._neighbour_heard_s = None
            self._neighbour.worked(f"nobody else publishes to {self._config.topic('state')} any more")

    def _on_publish(self, client: Client, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        self._sent.pop(mid, None)


def _tls_context(config: MqttConfig) -> ssl.SSLContext | None:
    if not config.tls:
        return None
    try:
        return ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"The certificate file {config.ca_file} cannot be used ({error}); expected a PEM file of the authority."
        ) from error


def _cut(client: Client) -> None:
    """Closes the connection without a goodbye, so that the broker publishes our last will."""
    connection = client.socket()
    if connection is not None:
        connection.close()
