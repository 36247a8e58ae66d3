"""The served page over real sockets: routes, threats, streams, slow readers, and images that are never old."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.cameras.frame import Frame
from edge_runtime.cameras.sources.synthetic import draw_numbered_image, draw_wave_image, read_image_number
from edge_runtime.contract import DriftReference
from edge_runtime.errors import OutputError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.postprocess import ClassScore, Prediction
from edge_runtime.live.health_state import HealthState
from edge_runtime.live.live_state import LiveState
from edge_runtime.live.results import Counts, Pulse, Result
from edge_runtime.model.model_file import ModelFile
from edge_runtime.outputs.fan_out import FanOut
from edge_runtime.outputs.web.config import WebConfig
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.thermal import SystemState, Throttle
from tests.patience import HANG_S, until

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

TOKEN = "3f1c9a7be2d84c0f9a6b5d2e7c1f8a40"
EVIL = "<img src=x onerror=alert(1)>"
BACKGROUND = draw_wave_image(240, 320)


class Site:
    """A live page fed by hand: `feed` is one frame of the loop, `state` the camera's health."""

    def __init__(self, url: str, observers: Any, toy: Classifier) -> None:
        self.port = int(url.rsplit(":", 1)[1].rstrip("/"))
        self.observer = FanOut([], observers)
        self.observer.model(toy)
        self.state, self.number, self.label = "ok", 0, "red"
        self.background = BACKGROUND
        self.system = SystemState()
        self._feeding: threading.Thread | None = None
        self._stop = threading.Event()

    def feed(self) -> None:
        self.number += 1
        now_s = monotonic_s()
        counts = Counts(captured=self.number, processed=self.number)
        self.observer.pulse(Pulse(now_s, "door", HealthState(self.state), f"it is {self.state}", counts))
        top = (ClassScore(self.label, 0.75), ClassScore("other", 0.25))
        result = Result(self.number, 1.7e9, 4.0, Prediction(0, self.label, 0.75, top, False), 0, classify_ms=2.0)
        frame = Frame(draw_numbered_image(self.background, self.number), self.number, now_s)
        self.observer.frame(frame, result if self.state == "ok" else None)

    def feed_on(self, fps: float = 30.0) -> None:
        def run() -> None:
            while not self._stop.wait(1 / fps):
                self.feed()

        self._feeding = threading.Thread(target=run)
        self._feeding.start()

    def stop(self) -> None:
        self._stop.set()
        if self._feeding is not None:
            self._feeding.join()

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG_S)
        with contextlib.closing(connection):
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()

    def connect(self, path: str, receive_bytes: int | None = None) -> socket.socket:
        connection = socket.socket()
        if receive_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.settimeout(HANG_S)
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return connection


@pytest.fixture
def serve(toy: Classifier) -> Iterator[Callable[..., Site]]:
    from edge_runtime.outputs.web.server import open_live_page

    with contextlib.ExitStack() as stack:

        def start(config: WebConfig | None = None) -> Site:
            live = LiveState()
            sites: list[Site] = []
            page = stack.enter_context(open_live_page(config or WebConfig(port=0), live, lambda: sites[0].system))
            sites.append(Site(page.url, [live, *page.observers], toy))
            stack.callback(sites[0].stop)
            return sites[0]

        yield start


def test_the_page_and_its_parts_are_served_and_weigh_under_30_kb(serve: Callable[..., Site]) -> None:
    site = serve()
    weight = 0
    for path, kind in {"/": "text/html", "/style.css": "text/css", "/page.js": "text/javascript", "/frames.js": "text/javascript",
                       "/icon.svg": "image/svg+xml"}.items():  # fmt: skip
        status, headers, body = site.ask(path)
        assert status == 200 and headers["content-type"].startswith(kind)
        weight += len(body)
    assert weight < 30_000


def test_the_page_names_no_other_server_and_writes_no_markup_from_script(serve: Callable[..., Site]) -> None:
    import edge_runtime.outputs.web

    static = Path(str(edge_runtime.outputs.web.__file__)).parent / "static"
    for path in static.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text and "//cdn" not in text, path
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "onclick="):
            assert word not in text, (path, word)


def test_every_answer_carries_the_policy_and_is_not_kept(serve: Callable[..., Site]) -> None:
    site = serve()
    for path in ("/", "/api/state", "/healthz", "/nothing-here", "/thumbs/1.jpg"):
        _, headers, _ = site.ask(path)
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_only_get_and_head_are_answered(serve: Callable[..., Site], method: str) -> None:
    site = serve()
    status, headers, _ = site.ask("/api/state", method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_head_answers_without_a_body_also_for_streams(serve: Callable[..., Site]) -> None:
    site = serve()
    for path in ("/", "/api/state", "/api/events", "/stream.mjpg"):
        status, _, body = site.ask(path, "HEAD")
        assert (status, body) == (200, b"")


def test_a_foreign_host_name_is_misdirected(serve: Callable[..., Site]) -> None:
    site = serve()
    status, _, body = site.ask("/api/state", host="attacker.example")
    assert status == 421 and b"whoever runs it can allow the name" in body
    assert site.ask("/api/state", host="localhost:1")[0] == 200


def test_pages_of_other_sites_may_link_here_but_embed_nothing(serve: Callable[..., Site]) -> None:
    site = serve()
    assert site.ask("/snapshot.jpg", sec_fetch_site="cross-site", sec_fetch_mode="no-cors")[0] == 403
    assert site.ask("/stream.mjpg", sec_fetch_site="same-site", sec_fetch_mode="no-cors")[0] == 403
    assert site.ask("/", sec_fetch_site="cross-site", sec_fetch_mode="navigate")[0] == 200
    assert site.ask("/api/state", sec_fetch_site="same-origin", sec_fetch_mode="cors")[0] == 200


def test_with_a_token_nothing_is_told_without_it(serve: Callable[..., Site]) -> None:
    site = serve(WebConfig(port=0, token=TOKEN))
    for path in ("/", "/api/state", "/api/events", "/stream.mjpg", "/snapshot.jpg", "/metrics", "/healthz", "/page.js"):
        status, headers, body = site.ask(path)
        assert status == 401 and b"token" in body
        assert headers["www-authenticate"].startswith("Basic ")
    basic = base64.b64encode(f"anyone:{TOKEN}".encode()).decode()
    assert site.ask("/api/state", authorization=f"Basic {basic}")[0] == 200
    assert site.ask("/api/state", authorization=f"Bearer {TOKEN}")[0] == 200
    for wrong in (
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}0",
        "Bearer",
        "Basic !!!",
        "Basic " + "/w==",
        f"Digest {TOKEN}",
    ):
        assert site.ask("/api/state", authorization=wrong)[0] == 401


def test_a_class_with_a_name_like_markup_stays_text_in_json(serve: Callable[..., Site]) -> None:
    site = serve()
    site.label = EVIL
    site.feed()
    status, headers, body = site.ask("/api/state")
    assert status == 200 and headers["content-type"] == "application/json"
    assert json.loads(body)["label"]["shown"] == EVIL


def test_the_state_holds_all_that_the_page_shows(serve: Callable[..., Site]) -> None:
    site = serve()
    site.system = SystemState(51.25, Throttle(0x50005))
    site.feed()
    state = json.loads(site.ask("/api/state")[2])
    assert state["label"] == {
        "shown": "red", "unknown": False, "reason": "", "score": 0.75, "seq": 1, "ts": 1.7e9, "age_ms": 4.0,
        "top": [{"label": "red", "score": 0.75}, {"label": "other", "score": 0.25}],
    }  # fmt: skip
    assert (state["health"]["chip"], state["health"]["level"]) == ("throttled", "warn")
    assert state["health"]["reasons"] == [
        "under-voltage: use a stronger power supply", "throttled: the processor slows itself down",
    ]  # fmt: skip
    assert state["system"]["temperature_c"] == pytest.approx(51.2, abs=0.06)
    assert state["model"]["signature"] == "not checked"
    assert state["changes"][0]["label"] == "red"
    assert state["counts"]["captured"] == 1


@pytest.mark.parametrize("state", ["frozen", "black", "no_camera", "stale", "starting"])
def test_health_is_503_with_the_reason_and_no_label_while_the_camera_is_not_believed(
    serve: Callable[..., Site], state: str
) -> None:
    site = serve()
    site.feed()
    status, _, body = site.ask("/healthz")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    site.state = state
    site.feed()
    status, _, body = site.ask("/healthz")
    assert status == 503
    assert json.loads(body) == {"v": 1, "status": "failing", "state": state, "reasons": [f"it is {state}"]}
    until(lambda: json.loads(site.ask("/api/state")[2])["label"] is None)


def test_a_slow_camera_is_healthy_but_says_so(serve: Callable[..., Site]) -> None:
    site = serve()
    site.state = "degraded"
    site.feed()
    status, _, body = site.ask("/healthz")
    assert status == 200 and json.loads(body)["reasons"] == ["it is degraded"]


def test_drift_is_named_on_the_page_and_in_the_metrics(serve: Callable[..., Site], toy_model: ModelFile) -> None:
    site = serve()
    rising = tuple(map(float, range(9)))
    drift = DriftReference(100, rising, (), rising, rising)
    site.observer.model(
        Classifier(dataclasses.replace(toy_model, contract=dataclasses.replace(toy_model.contract, drift=drift)))
    )
    site.observer.pulse(Pulse(monotonic_s(), "door", HealthState.OK, "fresh frames arrive", Counts()))
    assert b"edge_runtime_drift 0.0" in site.ask("/metrics")[2]
    reason = "drift: the light is far too low"
    site.observer.pulse(Pulse(monotonic_s(), "door", HealthState.DEGRADED, reason, Counts(), ("drift",)))
    health = json.loads(site.ask("/api/state")[2])["health"]
    assert health == {"state": "degraded", "chip": "drift", "level": "warn", "reasons": [reason], "causes": ["drift"]}
    assert b"edge_runtime_drift 1.0" in site.ask("/metrics")[2]
    assert json.loads(site.ask("/api/state")[2])["model"]["watches_drift"] is True


def test_a_snapshot_is_the_newest_frame_with_its_age(serve: Callable[..., Site]) -> None:
    site = serve()
    site.feed_on()
    status, headers, body = site.ask("/snapshot.jpg")
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    image = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (240, 320, 3)
    assert read_image_number(image) == int(headers["x-seq"])
    assert float(headers["x-age-ms"]) < 1000


@pytest.mark.slow
def test_no_snapshot_is_given_of_a_frozen_or_missing_camera(serve: Callable[..., Site]) -> None:
    site = serve()
    site.feed_on()
    assert site.ask("/snapshot.jpg")[0] == 200
    site.state = "frozen"
    until(lambda: site.ask("/healthz")[0] == 503)
    status, _, body = site.ask("/snapshot.jpg")
    assert (status, body) == (503, b"There is no live image: it is frozen.\n")


def parts_of(connection: socket.socket, count: int) -> list[tuple[dict[str, str], bytes]]:
    """The next ``count`` images of a stream (chunked by HTTP/1.1) with their headers."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    assert answer.status == 200
    parts = []
    while len(parts) < count:
        fields: dict[str, str] = {}
        while not (line := answer.readline().decode().strip()) or line.startswith("--"):
            pass
        while line:
            name, _, value = line.partition(": ")
            fields[name.lower()] = value
            line = answer.readline().decode().strip()
        parts.append((fields, answer.read(int(fields["content-length"]))))
    return parts


def test_the_stream_gives_fresh_images_with_age_number_and_crop(serve: Callable[..., Site]) -> None:
    site = serve()
    site.feed_on()
    with site.connect("/stream.mjpg") as connection:
        parts = parts_of(connection, 8)
    numbers = [int(fields["x-seq"]) for fields, _ in parts]
    assert numbers == sorted(set(numbers))
    for fields, body in parts:
        assert read_image_number(cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)) == int(fields["x-seq"])
        assert float(fields["x-age-ms"]) < 1000
        assert fields["x-crop"] == "0.0000,0.0000,1.0000,1.0000"
        assert "x-heat" not in fields, "its value is empty: this classifier has no maps"


def test_the_stream_says_where_the_model_looked(serve: Callable[..., Site], toy_model: ModelFile) -> None:
    site = serve()
    classifier = Classifier(toy_model, maps=True)
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[2:4, 5:7, 2] = 255
    classifier.classify(pixels)
    site.observer.model(classifier)
    site.feed_on()
    with site.connect("/stream.mjpg") as connection:
        fields, _ = parts_of(connection, 1)[0]
    columns, rows, *place, cells = fields["x-heat"].split(",")
    assert (columns, rows, place) == ("8", "8", ["0.0000", "0.0000", "1.0000", "1.0000"])
    heat = np.frombuffer(base64.b64decode(cells), np.uint8).reshape(8, 8)
    expected = np.zeros((8, 8), bool)
    expected[2:4, 5:7] = True
    np.testing.assert_array_equal(heat > 128, expected)
    assert json.loads(site.ask("/api/state")[2])["model"]["has_maps"] is True


def test_nothing_is_encoded_when_nobody_looks(serve: Callable[..., Site]) -> None:
    site = serve()
    images = site.observer._observers[1]
    for _ in range(20):
        site.feed()
    assert images._num_encoded == 0 and images._raw is None  # type: ignore[attr-defined]


def test_four_may_look_and_the_fifth_is_told_and_gets_a_freed_place(serve: Callable[..., Site]) -> None:
    site = serve()
    site.feed_on()
    viewers = [site.connect("/stream.mjpg") for _ in range(4)]
    for viewer in viewers:
        assert b"200 OK" in viewer.recv(100)
    status, headers, body = site.ask("/stream.mjpg")
    assert (status, headers["retry-after"]) == (503, "5")
    assert body.startswith(b"4 viewers are looking already")
    viewers[0].close()

    def is_free() -> bool:
        with site.connect("/stream.mjpg") as connection:
            return b"200 OK" in connection.recv(100)

    until(is_free)
    for viewer in viewers[1:]:
        viewer.close()
    until(lambda: json.loads(site.ask("/api/state")[2])["viewers"] == 0)


def test_one_encoding_serves_all_viewers(serve: Callable[..., Site]) -> None:
    site = serve()
    site.feed_on(20)
    images = site.observer._observers[1]
    with site.connect("/stream.mjpg") as one, site.connect("/stream.mjpg") as two:
        first = {fields["x-seq"]: body for fields, body in parts_of(one, 10)}
        second = parts_of(two, 10)
        encoded, seen = images._num_encoded, {*first, *(fields["x-seq"] for fields, _ in second)}  # type: ignore[attr-defined]
    assert len(seen) <= encoded <= site.number
    assert [body == first[fields["x-seq"]] for fields, body in second if fields["x-seq"] in first].count(False) == 0


@pytest.mark.slow
def test_a_reader_that_does_not_read_is_cut_off_and_the_others_go_on(
    serve: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_runtime.outputs.web import streams

    monkeypatch.setattr(streams.EndlessAnswer.__init__, "__defaults__", (0.5,))
    site = serve()
    site.background = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)  # does not compress
    site.feed_on()
    with site.connect("/stream.mjpg", receive_bytes=4096) as stuck, site.connect("/stream.mjpg") as quick:
        assert len(parts_of(quick, 60)) == 60
        until(lambda: json.loads(site.ask("/api/state")[2])["viewers"] == 1)
        stuck.settimeout(HANG_S)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while content := stuck.recv(65536):  # what the kernel still held, then the end
                received += len(content)
        assert received < 2_000_000


def test_a_connection_that_asks_nothing_is_dropped(serve: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.outputs.web.connections.FIRST_REQUEST_S", 0.2)
    site = serve()
    with (
        socket.create_connection(("127.0.0.1", site.port), HANG_S) as silent,
        contextlib.suppress(ConnectionResetError),
    ):
        assert silent.recv(10) == b""
    assert site.ask("/healthz")[0] == 503


def test_a_connection_that_begins_a_second_question_and_never_ends_it_is_dropped(
    serve: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.outputs.web.connections.NEXT_REQUEST_S", 0.3)
    site = serve()
    with site.connect("/api/state") as slow, contextlib.suppress(ConnectionResetError):
        answer = http.client.HTTPResponse(slow)
        answer.begin()
        assert answer.status == 200 and answer.read()
        slow.sendall(b"GET / HTTP/1.1\r\nX: ")
        slow.settimeout(HANG_S)
        assert slow.recv(1 << 16) == b""
    site.feed_on()
    with site.connect("/api/state") as viewer:  # a stream that follows another answer is not cut
        assert b"200 OK" in viewer.recv(1 << 16)
        viewer.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        end_s = time.monotonic() + 1.0
        while time.monotonic() < end_s:
            assert viewer.recv(1 << 16)


def test_events_tell_the_state_again_and_again(serve: Callable[..., Site]) -> None:
    site = serve()
    site.feed_on()
    with site.connect("/api/events") as connection:
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.getheader("content-type") or "").startswith("text/event-stream")
        lines = [answer.readline().decode() for _ in range(12)]
    states = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert len(states) == 3
    assert states[-1]["counts"]["captured"] > states[0]["counts"]["captured"]


def test_label_changes_come_with_a_small_image(serve: Callable[..., Site]) -> None:
    site = serve()
    site.feed()
    until(lambda: site.ask("/thumbs/1.jpg")[0] == 200)
    image = cv2.imdecode(np.frombuffer(site.ask("/thumbs/1.jpg")[2], np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (96, 128, 3)
    assert site.ask("/thumbs/2.jpg")[0] == 404
    assert site.ask("/thumbs/../../etc/passwd")[0] == 404


def test_large_frames_are_shown_smaller_and_the_model_s_region_is_told(toy: Classifier) -> None:
    import dataclasses

    from edge_runtime.contract import InputSpec
    from edge_runtime.outputs.web.frames import FrameEncoder

    rung = threading.Event()
    images = FrameEncoder(LiveState(), rung.set)
    images.model(toy)
    images._input = dataclasses.replace(InputSpec(32, 32), resize="crop")
    assert images.join()
    images.frame(Frame(draw_wave_image(1080, 1920), 7, monotonic_s()), None)
    assert rung.wait(HANG_S)
    newest = images.newest()
    images.close()
    assert newest is not None
    assert (newest.width, newest.height, newest.seq) == (960, 540, 7)
    assert newest.crop == (420 / 1920, 0.0, 1080 / 1920, 1.0)


def test_metrics_are_in_base_units_under_one_prefix(serve: Callable[..., Site]) -> None:
    pytest.importorskip("prometheus_client")
    from prometheus_client.parser import text_string_to_metric_families

    site = serve()
    site.system = SystemState(51.25, Throttle(0x4))
    for _ in range(5):
        site.feed()
    status, headers, body = site.ask("/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert all(name.startswith("edge_runtime_") for name in families)
    assert samples[("edge_runtime_frames_captured_total",)] == 5
    assert samples[("edge_runtime_frames_processed_total",)] == 5
    assert samples[("edge_runtime_frames_dropped_total", ("reason", "too_old"))] == 0
    assert samples[("edge_runtime_predictions_total", ("label", "red"))] == 5
    assert samples[("edge_runtime_inference_seconds_sum",)] == pytest.approx(0.01)
    assert samples[("edge_runtime_frame_age_seconds_bucket", ("le", "0.005"))] == 5
    assert samples[("edge_runtime_camera_up",)] == 1
    assert samples[("edge_runtime_camera_reconnects_total",)] == 0
    assert samples[("edge_runtime_temperature_celsius",)] == 51.25
    assert samples[("edge_runtime_throttled", ("flag", "throttled"))] == 1
    assert samples[("edge_runtime_health_state", ("state", "ok"))] == 1
    assert any(name == "edge_runtime_model_info" for name, *_ in samples)
    assert samples[("edge_runtime_score_bucket", ("le", "0.7"))] == 0
    assert samples[("edge_runtime_score_bucket", ("le", "0.8"))] == 5
    assert samples[("edge_runtime_similarity_count",)] == 0, "this model carries no neighbours"
    assert not any(name == "edge_runtime_drift" for name, *_ in samples), "nor a drift reference"
    site.state = "no_camera"
    site.feed()
    assert b"edge_runtime_camera_up 0.0" in site.ask("/metrics")[2]


def test_without_the_metrics_library_the_answer_names_the_extra(
    serve: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "edge_runtime.outputs.web.prometheus", None)
    status, _, body = serve().ask("/metrics")
    assert status == 404 and b"edge-runtime[metrics]" in body


def test_a_taken_port_and_an_address_of_another_machine_are_told(serve: Callable[..., Site]) -> None:
    from edge_runtime.outputs.web.server import open_live_page

    site = serve()
    with (
        pytest.raises(OutputError, match=rf"cannot listen on 127.0.0.1:{site.port}: Address already in use"),
        open_live_page(WebConfig(port=site.port), LiveState(), SystemState),
    ):
        pass
    with (
        pytest.raises(OutputError, match=r"cannot listen on 203.0.113.1:0"),
        open_live_page(WebConfig("203.0.113.1", 0, TOKEN), LiveState(), SystemState),
    ):
        pass
    with (
        pytest.raises(OutputError, match=r"cannot listen on no-such-host.invalid"),
        open_live_page(WebConfig("no-such-host.invalid", 0, TOKEN), LiveState(), SystemState),
    ):
        pass


def test_the_server_ends_quickly_with_viewers_still_connected(toy: Classifier) -> None:
    from edge_runtime.outputs.web.server import open_live_page

    live = LiveState()
    with open_live_page(WebConfig(port=0), live, SystemState) as page:
        site = Site(page.url, [live, *page.observers], toy)
        site.feed_on()
        viewers = [site.connect("/stream.mjpg"), site.connect("/api/events")]
        assert all(viewer.recv(10) for viewer in viewers)
    site.stop()
    assert not [thread.name for thread in threading.enumerate() if thread.name in ("web", "images")]
    for viewer in viewers:
        viewer.close()
