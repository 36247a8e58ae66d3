"""The loop: fresh frames only, every frame accounted for, events instead of labels when the camera cannot be
believed.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_runtime.cameras.address import parse_camera
from edge_runtime.cameras.capture.parent import Capture
from edge_runtime.cameras.frame import Frame, FrameSource, SourceCounts
from edge_runtime.cameras.sources.synthetic import draw_numbered_image, draw_wave_image, read_image_number
from edge_runtime.contract import DriftReference, Region
from edge_runtime.errors import CameraError, UsageError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.postprocess import Prediction
from edge_runtime.live.loop import Loop
from edge_runtime.live.loop_config import LoopConfig
from edge_runtime.live.results import Event, Result, Status
from edge_runtime.live.smoothing import Hold
from edge_runtime.model.model_file import ModelFile
from edge_runtime.outputs.jsonl import JsonLinesSink
from edge_runtime.outputs.stdout import Outlet

FPS = 30
BACKGROUND = draw_wave_image(96, 256)


class Collector:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.events: list[Event] = []
        self.statuses: list[Status] = []

    def result(self, result: Result) -> None:
        self.results.append(result)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def status(self, status: Status) -> None:
        self.statuses.append(status)

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.events if event.kind == "camera"]


class SimulatedCamera(FrameSource):
    """A live camera of simulated time: frame n is captured at n / FPS and only the newest is kept.

    ``image`` gives frame n; ``delay_s`` passes between capture and hand-over; ``silent`` times give nothing.
    """

    live = True

    def __init__(self, clock: Any, image: Callable[[int], np.ndarray] | None = None) -> None:
        self.name = "simulated"
        self.clock, self.start_s = clock, clock.now_s
        self.image = image or (lambda number: draw_numbered_image(BACKGROUND, number))
        self.delay_s = 0.0
        self.silent: tuple[float, float] = (1e9, 1e9)
        self.last = -1
        self.taken = 0

    def newest(self) -> int:
        passed_s = self.clock.now_s - self.start_s
        if self.silent[0] <= passed_s < self.silent[1]:
            passed_s = self.silent[0]
        return int(passed_s * FPS + 1e-6)

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        if self.newest() <= self.last:
            self.clock.now_s += (
                min(timeout_s, (self.last + 1) / FPS - (self.clock.now_s - self.start_s))
                if not self._is_silent()
                else timeout_s
            )
        number = self.newest()
        if number <= self.last:
            return None
        self.last, self.taken = number, self.taken + 1
        captured_s = self.start_s + number / FPS
        self.clock.now_s += self.delay_s
        return Frame(self.image(number), number, captured_s, fingerprint=hash(self.image(number).tobytes()))

    def counts(self) -> SourceCounts:
        captured = self.newest() + 1
        waiting = int(captured - 1 > self.last)
        return SourceCounts(captured=captured, dropped=captured - self.taken - waiting, waiting=waiting)

    def _is_silent(self) -> bool:
        return self.silent[0] <= self.clock.now_s - self.start_s < self.silent[1]


class SlowClassifier:
    """The toy classifier, taking ``seconds`` of simulated time a frame; checks counts while a frame is in its hands."""

    def __init__(self, toy: Classifier, clock: Any, seconds: float) -> None:
        self.interpreter, self._toy, self._clock, self._seconds = toy.interpreter, toy, clock, seconds
        self.region, self.contract, self.input_spec = None, toy.contract, toy.contract.spec.input
        self.loop: Loop | None = None
        self.ages_ms: list[float] = []

    def classify(self, frame: Frame) -> Prediction:
        self.ages_ms.append((self._clock.now_s - frame.captured_s) * 1e3)
        self._clock.now_s += self._seconds
        if self.loop is not None:
            assert_adds_up(self.loop)
            assert self.loop.counts().in_flight >= 1
        return self._toy.classify(frame)


def assert_adds_up(loop: Loop) -> None:
    counts = loop.counts()
    assert counts.captured == counts.processed + counts.dropped + counts.in_flight
    assert min(dataclasses.astuple(counts)) >= 0


def simulate(
    toy: Classifier,
    clock: Any,
    source: FrameSource,
    seconds: float,
    config: LoopConfig | None = None,
    cost_s: float = 0.002,
) -> Any:
    """(the sink, the loop, the classifier) after ``seconds`` of simulated time."""
    sink, classifier = Collector(), SlowClassifier(toy, clock, cost_s)
    loop = Loop(classifier, source, sink, config or LoopConfig(), clock)  # type: ignore[arg-type]
    classifier.loop = loop
    end_s = clock.now_s + seconds

    def should_stop() -> bool:
        assert_adds_up(loop)
        return clock.now_s >= end_s

    loop.run(should_stop)
    return sink, loop, classifier


def test_a_quick_classifier_labels_every_frame_with_its_age(toy: Classifier, clock: Any) -> None:
    sink, loop, _ = simulate(toy, clock, SimulatedCamera(clock), 10.0)
    assert [result.seq for result in sink.results] == list(range(len(sink.results)))
    assert len(sink.results) >= 299
    assert all(result.age_ms == pytest.approx(2.0, abs=0.1) for result in sink.results)
    assert loop.counts().dropped == 0
    assert sink.states == ["ok"]


def test_a_slow_classifier_gets_fresh_frames_and_the_age_stays_flat(toy: Classifier, clock: Any) -> None:
    sink, loop, classifier = simulate(toy, clock, SimulatedCamera(clock), 120.0, cost_s=0.4)
    assert np.percentile(classifier.ages_ms, 95) <= 1000 / FPS + 50
    assert max(result.age_ms for result in sink.results) <= 500
    assert loop.counts().dropped > 3000
    assert [result.dropped for result in sink.results] == sorted(result.dropped for result in sink.results)


def test_frames_older_than_the_limit_are_dropped_before_and_after_inference(toy: Classifier, clock: Any) -> None:
    late = SimulatedCamera(clock)
    late.delay_s = 0.6
    sink, loop, classifier = simulate(toy, clock, late, 5.0)
    assert sink.results == [] and classifier.ages_ms == []
    assert loop.counts().too_old == loop.counts().dropped - late.counts().dropped > 5
    assert "stale" in sink.states
    sink, loop, classifier = simulate(toy, clock, SimulatedCamera(clock), 5.0, LoopConfig(max_age_ms=100), cost_s=0.2)
    assert sink.results == [] and classifier.ages_ms != []
    assert "stale" in sink.states


class SlowStream(FrameSource):
    """A live camera of one frame in ``interval_s``, each of which is as old as that when it comes."""

    live, name = True, "slow"

    def __init__(self, clock: Any, interval_s: float) -> None:
        self.clock, self.interval_s = clock, interval_s

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        self.clock.now_s += self.interval_s
        self.num_captured += 1
        image = draw_numbered_image(BACKGROUND, self.num_captured)
        return Frame(image, self.num_captured - 1, self.clock.now_s - self.interval_s)


@pytest.mark.parametrize(("stated_ms", "num_labels"), [(None, 7), (500.0, 0)])
def test_a_stream_that_is_slow_by_nature_gets_labels_unless_a_limit_is_stated(
    toy: Classifier, clock: Any, stated_ms: float | None, num_labels: int
) -> None:
    sink, loop, _ = simulate(toy, clock, SlowStream(clock, 1.0), 10.0, LoopConfig(max_age_ms=stated_ms))
    assert len(sink.results) == num_labels
    assert all(result.age_ms == pytest.approx(1000, abs=5) for result in sink.results)
    assert ("stale" in sink.states) == (stated_ms is not None)
    assert loop.counts().too_old == 10 - num_labels, "the limit is the usual one until the interval is known"


def test_between_frames_the_loop_tells_labels_and_those_that_came_too_late(toy: Classifier, clock: Any) -> None:
    def told(delay_s: float, cost_s: float, image: Callable[[int], np.ndarray] | None = None) -> tuple[int, int]:
        camera, seen = SimulatedCamera(clock, image), [(0, 0)]
        camera.delay_s = delay_s
        end_s = clock.now_s + 5.0
        loop = Loop(
            SlowClassifier(toy, clock, cost_s),  # type: ignore[arg-type]
            camera,
            Collector(),
            LoopConfig(max_age_ms=100),
            clock,
            between_frames=lambda num_labels, num_late: seen.append((num_labels, num_late)),
        )
        loop.run(lambda: clock.now_s >= end_s)
        return seen[-1]

    labels, late = told(0.0, 0.002)
    assert labels > 100 and late == 0
    labels, late = told(0.0, 0.2)
    assert labels == 0 and late >= 20
    assert told(0.6, 0.002) == (0, 0), "frames that were old already were never the model's"
    assert told(0.0, 0.002, lambda number: np.zeros((96, 256, 3), np.uint8)) == (0, 0), "nor is a dark image"


def test_a_silent_camera_is_an_event_and_so_is_its_return(toy: Classifier, clock: Any) -> None:
    camera = SimulatedCamera(clock)
    camera.silent = (3.0, 8.0)
    sink, _, _ = simulate(toy, clock, camera, 12.0)
    assert sink.states == ["ok", "no_camera", "ok"]


@pytest.mark.parametrize("value", [0, 255, 90])
def test_frames_of_one_colour_are_refused_and_counted_never_labelled(toy: Classifier, clock: Any, value: int) -> None:
    sink, loop, _ = simulate(
        toy, clock, SimulatedCamera(clock, lambda number: np.full((96, 256, 3), value, np.uint8)), 3.0
    )
    assert sink.results == []
    assert loop.counts().refused == loop.counts().processed > 80
    assert sink.states[-1] == "black"


def test_a_frozen_camera_is_an_event_after_five_seconds_and_no_label_follows(toy: Classifier, clock: Any) -> None:
    camera = SimulatedCamera(clock, lambda number: draw_numbered_image(BACKGROUND, min(number, 60)))
    sink, _, _ = simulate(toy, clock, camera, 20.0)
    assert sink.states == ["ok", "frozen"]
    assert 4.0 <= (sink.results[-1].seq - 60) / FPS <= 6.0


def test_a_label_is_held_until_enough_frames_agree_and_its_change_is_an_event(toy: Classifier, clock: Any) -> None:
    def image(number: int) -> np.ndarray:
        tinted = draw_numbered_image(BACKGROUND, number) // 4
        tinted[..., 2 if number < 10 or number == 15 else 0] += 180  # red, then blue with one red frame
        return tinted

    sink, _, _ = simulate(toy, clock, SimulatedCamera(clock, image), 1.0, LoopConfig(hold=Hold(3, 5)))
    labels = [result.prediction.label for result in sink.results]
    assert labels[:17] == ["red"] * 10 + ["blue"] * 5 + ["red"] + ["blue"]
    held = [result.held for result in sink.results]
    assert held[:17] == ["", ""] + ["red"] * 10 + ["blue"] * 5
    for result in sink.results:
        if result.held == result.prediction.label:
            assert result.shown_score == result.prediction.score
        elif not result.held:
            assert result.shown_score is None
    assert sink.results[10].shown_score == sink.results[9].prediction.score, "red's own, while blue is not believed yet"
    changes = [(event.state, event.reason) for event in sink.events if event.kind == "label"]
    assert changes == [("red", "3 of 5 frames say so"), ("blue", "3 of 5 frames say so, before it was red")]


def test_the_run_ends_after_the_wanted_number_of_labels(toy: Classifier, clock: Any) -> None:
    sink, _, _ = simulate(toy, clock, SimulatedCamera(clock), 100.0, LoopConfig(max_frames=7))
    assert len(sink.results) == 7
    assert len(sink.statuses) == 1
    status = sink.statuses[0]
    assert status.counts.processed == 7
    assert set(status.stages) == {"wait", "classify", "write"}
    assert status.age is not None and status.age.p50 == pytest.approx(2.0, abs=0.1)


def test_a_camera_that_never_gives_a_frame_ends_the_run_with_its_trouble(toy: Classifier, clock: Any) -> None:
    class Missing(SimulatedCamera):
        trouble = "the cable is out"

        def read(self, timeout_s: float = 1.0) -> Frame | None:
            self.clock.now_s += timeout_s
            return None

        def counts(self) -> SourceCounts:
            return SourceCounts()

    with pytest.raises(CameraError, match=r"No frame within 30 s: the cable is out"):
        simulate(toy, clock, Missing(clock), 100.0)


def test_files_are_labelled_whatever_they_show_and_however_long_it_takes(toy: Classifier, clock: Any) -> None:
    class Files(SimulatedCamera):
        live = False

    camera = Files(clock, lambda number: np.zeros((96, 256, 3), np.uint8))
    camera.delay_s = 2.0
    sink, _, _ = simulate(toy, clock, camera, 30.0)
    assert len(sink.results) >= 10
    assert sink.events == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_age_ms": 0}, "`max_age_ms` is 0, expected a number of milliseconds above 0"),
        ({"max_age_ms": float("nan")}, "`max_age_ms` is nan"),
        ({"max_frames": 0}, "`max_frames` is 0, expected at least 1"),
        ({"give_up_s": -1}, "`give_up_s` is -1, expected seconds above 0, or inf for never"),
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LoopConfig(**values)


def test_json_lines_have_the_documented_keys(toy: Classifier, clock: Any) -> None:
    out = io.StringIO()
    classifier = SlowClassifier(toy, clock, 0.001)
    Loop(classifier, SimulatedCamera(clock), JsonLinesSink(Outlet(out)), LoopConfig(max_frames=2), clock).run()  # type: ignore[arg-type]
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["type"] for line in lines] == ["event", "prediction", "prediction", "status"]
    assert list(lines[1]) == ["v", "type", "seq", "ts", "age_ms", "label", "score", "top", "dropped"]
    assert lines[1]["top"][0] == {"label": lines[1]["label"], "score": lines[1]["score"]}
    assert list(lines[0]) == ["v", "type", "ts", "event", "state", "reason"]
    assert lines[3]["drift"] == "not watched: the file carries no drift reference; convert the model again"


@pytest.mark.slow
def test_a_camera_in_the_dark_is_degraded_by_drift_within_two_minutes_and_recovers(toy: Classifier, clock: Any) -> None:
    """Through the whole loop: the event, the status, and labels all the while."""
    quantiles = (40.0, 45.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 100.0)
    scores = (0.0,) * 9
    reference = DriftReference(100, scores, (), quantiles, (0.0,) * 4 + (0.5,) * 5)
    classifier = SlowClassifier(toy, clock, 0.4)
    classifier.contract = dataclasses.replace(toy.contract, drift=reference)
    bright = np.clip(draw_numbered_image(BACKGROUND, 0).astype(int) // 4 + 45, 0, 255)
    start_s = clock.now_s

    def image(number: int) -> np.ndarray:
        is_dark = 200 <= clock.now_s - start_s < 320
        noise = np.random.default_rng(number).integers(0, 4, bright.shape)
        return ((bright * (0.1 if is_dark else 1.0)) + noise).astype(np.uint8)

    sink = Collector()
    loop = Loop(classifier, SimulatedCamera(clock, image), sink, LoopConfig(), clock)  # type: ignore[arg-type]
    loop.run(lambda: clock.now_s - start_s > 500)
    told = [(event.state, event.reason) for event in sink.events if event.kind == "camera"]
    assert [state for state, _ in told] == ["ok", "degraded", "ok"]
    assert "drift: for the last" in told[1][1] and "the light is far too low" in told[1][1]
    assert loop.status().drift == ""
    assert sink.statuses and len(sink.results) > 1000, "labels come all the while"


@pytest.mark.slow
def test_with_real_processes_a_slow_classifier_sees_the_present_and_a_naive_reader_the_past(
    network_camera: Any, toy: Classifier
) -> None:
    import time

    from edge_runtime.cameras.sources.mjpeg import MjpegCamera

    fresh_lags: list[int] = []

    class Sleepy:
        interpreter, contract, region = toy.interpreter, toy.contract, None

        def classify(self, frame: Frame) -> Prediction:
            fresh_lags.append(network_camera.num_sent - 1 - read_image_number(frame.pixels))
            time.sleep(0.4)
            return toy.classify(frame)

    network_camera.fps = FPS
    sink = Collector()
    with Capture(parse_camera(network_camera.address)) as capture:
        Loop(Sleepy(), capture, sink, LoopConfig(max_frames=25)).run()  # type: ignore[arg-type]
    assert sink.statuses[0].counts.dropped > 0
    with MjpegCamera(network_camera.address) as naive:
        lags, pending = [], []
        start = network_camera.num_sent
        while len(lags) < 10:  # every image in the order of arrival, as a read loop without a dropper sees them
            naive._receive(1.0)
            pending += list(iter(naive._splitter.next_part, None))
            if pending:
                import cv2

                image = cv2.imdecode(np.frombuffer(pending.pop(0), np.uint8), cv2.IMREAD_COLOR)
                lags.append(network_camera.num_sent - 1 - read_image_number(image))
                time.sleep(0.4)
    assert network_camera.num_sent > start
    assert np.median(fresh_lags) <= 3, "the newest frame, however long the classifier slept"
    assert np.median(fresh_lags[-8:]) <= np.median(fresh_lags[:8]) + 3, "and it does not grow"
    assert lags[-1] > 3 * max(3, np.median(fresh_lags)), "the same camera leaves a naive reader behind"


def test_only_the_region_is_classified_and_judged(clock: Any, toy_model: ModelFile) -> None:
    """Red on the left, blue on the right: the label is the region's; covered there, it is called black."""
    chance = np.random.default_rng(0)

    def image(number: int) -> np.ndarray:
        frame = chance.integers(0, 60, (96, 256, 3), dtype=np.uint8)
        frame[:, :128, 2] += 180
        frame[:, 128:, 0] += 180
        if number >= 3 * FPS:
            frame[:, 128:] = 0
        return frame

    sink = Collector()
    classifier = Classifier(toy_model, region=Region(0.5, 0.0, 0.5, 1.0))
    loop = Loop(classifier, SimulatedCamera(clock, image), sink, LoopConfig(), clock)
    loop.run(lambda: clock.now_s > 1006)
    assert {result.prediction.label for result in sink.results} == {"blue"}
    assert sink.states == ["ok", "black"] and loop.counts().refused > 2 * FPS
