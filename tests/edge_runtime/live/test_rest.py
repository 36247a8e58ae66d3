"""A camera of which frames are skipped on purpose: the run says that nothing moves, keeps the last label with its time,
and is neither silent, slow nor frozen; what goes wrong meanwhile is still noticed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_runtime.cameras.frame import Frame, FrameSource, SourceCounts
from edge_runtime.cameras.lookout import LookConfig, Lookout
from edge_runtime.contract import DriftReference, Region
from edge_runtime.contract.drift_reference import PROBABILITIES
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.postprocess import Prediction
from edge_runtime.live.live_state import LiveState
from edge_runtime.live.loop import Loop
from edge_runtime.live.loop_config import LoopConfig
from edge_runtime.live.rest import describe_last_known
from edge_runtime.live.results import Event, LastKnown, Result, Status
from edge_runtime.live.smoothing import Hold
from edge_runtime.outputs.fan_out import FanOut
from edge_runtime.outputs.jsonl import make_event_object, make_status_object
from edge_runtime.outputs.mqtt.messages import make_state_key, make_state_message
from edge_runtime.outputs.text import format_status
from edge_runtime.outputs.web.state import make_state_object
from edge_runtime.pixels.motion import read_cells
from edge_runtime.system.clock import read_wall_time_s
from edge_runtime.system.thermal import SystemState

FPS = 10
ON_MOTION = LookConfig(on_motion=True)


class RestingCamera(FrameSource):
    """A live camera of simulated time that asks a `Lookout` of every frame; ``image`` gives that of a time in seconds.

    ``silent`` times give nothing; ``delay_s`` passes between capture and hand-over.
    """

    live = True

    def __init__(self, clock: Any, look: LookConfig, image: Callable[[float], np.ndarray]) -> None:
        self.name, self.look, self.lookout = "simulated", look, Lookout(look)
        self._clock, self._start_s, self._image = clock, clock.now_s, image
        self.silent = (1e9, 1e9)
        self.delay_s = 0.0
        self.num_taken = 0
        self.watched: list[Region | None] = []

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        end_s = self._clock.now_s + timeout_s
        while (next_s := self._start_s + self.num_captured / FPS) <= end_s:
            passed_s = next_s - self._start_s
            if self.silent[0] <= passed_s < self.silent[1]:
                self._clock.now_s = end_s
                if end_s - self._start_s >= self.silent[1]:
                    self._start_s = end_s - self.num_captured / FPS
                    self.silent = (1e9, 1e9)
                return None
            self._clock.now_s = max(self._clock.now_s, next_s)
            pixels = self._image(passed_s)
            self.num_captured += 1
            fingerprint = hash(pixels.tobytes())
            assert self.lookout is not None
            if self.lookout.wants(next_s, fingerprint, lambda region, pixels=pixels: read_cells(pixels, region)):  # type: ignore[misc]
                self.num_taken += 1
                self._clock.now_s += self.delay_s
                return Frame(pixels, self.num_captured - 1, next_s, fingerprint=fingerprint)
        self._clock.now_s = end_s
        return None

    def counts(self) -> SourceCounts:
        skipped = self.skips().num
        return SourceCounts(self.num_captured, dropped=self.num_captured - self.num_taken - skipped, skipped=skipped)

    def watch(self, region: Region | None) -> None:
        self.watched.append(region)
        super().watch(region)


class Colours:
    """A model whose label is the strongest colour of the frame's middle; ``drift`` is its reference."""

    def __init__(self, toy: Classifier, drift: DriftReference | None = None, region: Region | None = None) -> None:
        self.interpreter, self.region, self.model = toy.interpreter, region, toy.model
        self.contract = dataclasses.replace(toy.contract, drift=drift)
        self.input_spec = toy.contract.spec.input
        self.threshold, self.class_thresholds, self.has_maps = 0.5, {}, False
        self.num_classified = 0
        self._toy = toy

    def classify(self, frame: Frame) -> Prediction:
        self.num_classified += 1
        return self._toy.classify(frame)


class Story:
    """Sink and observer of one simulated run; ``live`` is what others would see."""

    def __init__(
        self, toy: Classifier, clock: Any, camera: RestingCamera, config: LoopConfig | None = None, **more: Any
    ):
        self.clock, self.camera, self.start_s = clock, camera, clock.now_s
        self.results: list[tuple[float, Result]] = []
        self.events: list[tuple[float, Event]] = []
        self.live = LiveState(clock=clock)
        self.model = Colours(toy, **more)
        self.next_model: Any = None
        both = FanOut([self], [self.live])
        self.loop = Loop(self.model, camera, both, config or LoopConfig(), clock, self._between, both)  # type: ignore[arg-type]

    def _between(self, num_labels: int, num_late: int) -> Any:
        changed, self.next_model = self.next_model, None
        return changed

    def result(self, result: Result) -> None:
        self.results.append((self.clock.now_s - self.start_s, result))

    def event(self, event: Event) -> None:
        self.events.append((self.clock.now_s - self.start_s, event))

    def status(self, status: Status) -> None:
        self.last_status = status

    def play(self, seconds: float) -> None:
        end_s = self.clock.now_s + seconds

        def should_stop() -> bool:
            counts = self.loop.counts()
            assert counts.captured == counts.processed + counts.dropped + counts.skipped + counts.in_flight
            return bool(self.clock.now_s >= end_s)

        self.loop.run(should_stop)

    @property
    def states(self) -> list[str]:
        return [event.state for _, event in self.events if event.kind == "camera"]

    @property
    def motions(self) -> list[tuple[int, str]]:
        return [(round(at_s), event.state) for at_s, event in self.events if event.kind == "motion"]


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(5)


def colour(chance: np.random.Generator, channel: int) -> np.ndarray:
    """A noisy frame, mostly blue (0), green (1) or red (2)."""
    frame = chance.integers(20, 60, (96, 128, 3), dtype=np.uint8)
    frame[..., channel] += 150
    return frame


@pytest.mark.slow
def test_a_still_scene_keeps_its_label_with_its_time_and_costs_no_looks(
    toy: Classifier, clock: Any, chance: np.random.Generator
) -> None:
    story = Story(toy, clock, RestingCamera(clock, ON_MOTION, lambda s: colour(chance, 2)))
    story.play(1200.0)
    assert story.states == ["ok"] and story.motions == [(1, "still")]
    assert story.model.num_classified <= 20 and story.results[-1][0] < 2.0
    snapshot = story.live.snapshot()
    assert snapshot.state == "ok" and snapshot.result is not None and snapshot.result.shown == "red"
    assert snapshot.is_last_known and snapshot.still_since is not None
    assert snapshot.rates.captured == pytest.approx(FPS, rel=0.1)
    assert snapshot.rates.skipped == pytest.approx(FPS, rel=0.1) and snapshot.rates.dropped == 0
    assert read_wall_time_s() - snapshot.still_since == pytest.approx(1200.0, abs=30.0)


def test_every_output_says_so(toy: Classifier, clock: Any, chance: np.random.Generator) -> None:
    story = Story(toy, clock, RestingCamera(clock, ON_MOTION, lambda s: colour(chance, 2)))
    story.play(60.0)
    (event,) = [event for _, event in story.events if event.kind == "motion"]
    time, score = r"\d\d:\d\d:\d\d", r"0\.\d\d"
    assert re.fullmatch(rf"nothing moves since {time}; last known: red {score}, at {time}", event.reason)
    last = story.results[-1][1]
    known = {"label": "red", "score": round(last.prediction.score, 6), "ts": pytest.approx(last.ts, abs=1.0)}
    assert make_event_object(event)["last_known"] == {**known, "score": pytest.approx(known["score"], abs=0.1)}
    status = make_status_object(story.last_status)
    assert status["last_known"] == known and status["still_since"] is not None and status["skipped"] > 550
    assert re.search(
        rf"\d+ skipped on purpose.*\nNothing has moved since {time}; last known: red {score}, at {time}\.",
        format_status(story.last_status),
        re.S,
    )
    state = make_state_object(story.live.snapshot(), SystemState(), None, 0)
    assert (
        state["rest"]["last_known"] and state["label"]["shown"] == "red" and state["label"]["ts"] == round(last.ts, 3)
    )
    assert state["camera"]["fresh_ms"] is None and state["rest"]["still_since"] is not None
    assert state["health"]["state"] == "ok" and state["counts"]["skipped"] > 550
    message = make_state_message(story.live.snapshot(), SystemState())
    assert (message["label"], message["label_ts"], message["problem"]) == ("red", round(last.ts, 3), "OFF")
    assert message["still_since"] is not None
    assert make_state_key(message) != make_state_key({**message, "still_since": None})
    assert make_state_key(message) == make_state_key({**message, "still_since": 5.0})


def test_without_skipping_nothing_is_last_known(toy: Classifier, clock: Any, chance: np.random.Generator) -> None:
    camera = RestingCamera(clock, LookConfig(max_fps=1000), lambda s: colour(chance, 2))
    camera.look = None
    story = Story(toy, clock, camera)
    story.play(20.0)
    state = make_state_object(story.live.snapshot(), SystemState(), None, 0)
    assert state["rest"] == {"still_since": None, "last_known": False}
    assert story.motions == [] and story.loop.counts().skipped == 0


def test_movement_is_labelled_and_told(toy: Classifier, clock: Any, chance: np.random.Generator) -> None:
    story = Story(toy, clock, RestingCamera(clock, ON_MOTION, lambda s: colour(chance, 2 if s < 60 else 0)))
    story.play(120.0)
    assert story.motions == [(1, "still"), (60, "moving"), (61, "still")]
    assert story.results[-1][1].shown == "blue" and story.live.snapshot().result == story.results[-1][1]
    assert story.states == ["ok"]


def test_a_steadied_label_is_found_after_one_movement(toy: Classifier, clock: Any, chance: np.random.Generator) -> None:
    hold = Hold(12, 15)
    look = dataclasses.replace(ON_MOTION, num_votes=hold.window)
    camera = RestingCamera(clock, look, lambda s: colour(chance, 2 if s < 30 else 0))
    story = Story(toy, clock, camera, LoopConfig(hold=hold))
    story.play(60.0)
    assert [event.state for _, event in story.events if event.kind == "label"] == ["red", "blue"]
    snapshot = story.live.snapshot()
    assert snapshot.result is not None and snapshot.result.shown == "blue" and snapshot.is_last_known


def test_a_frozen_camera_is_noticed_and_so_is_its_recovery(
    toy: Classifier, clock: Any, chance: np.random.Generator
) -> None:
    stuck = colour(chance, 2)
    camera = RestingCamera(clock, ON_MOTION, lambda s: stuck if 30 <= s < 60 else colour(chance, 2))
    story = Story(toy, clock, camera)
    story.play(50.0)
    assert story.states == ["ok", "frozen"] and story.live.snapshot().result is None
    story.play(40.0)
    assert story.states == ["ok", "frozen", "ok"]
    assert story.live.snapshot().result is not None, "it is looked at again although nothing has moved"


def test_a_silent_camera_is_noticed_and_looked_at_when_it_is_back(
    toy: Classifier, clock: Any, chance: np.random.Generator
) -> None:
    camera = RestingCamera(clock, ON_MOTION, lambda s: colour(chance, 2))
    camera.silent = (30.0, 45.0)
    story = Story(toy, clock, camera)
    story.play(40.0)
    assert story.states == ["ok", "no_camera"]
    snapshot = story.live.snapshot()
    assert snapshot.result is None and snapshot.still_since is None and not snapshot.is_last_known
    story.play(30.0)
    assert story.states == ["ok", "no_camera", "ok"]
    assert story.results[-1][0] >= 45.0 and story.live.snapshot().result is not None
    assert [state for _, state in story.motions] == ["still", "still"]


def test_a_covered_lens_is_black_until_it_is_free(toy: Classifier, clock: Any, chance: np.random.Generator) -> None:
    def image(passed_s: float) -> np.ndarray:
        return np.zeros((96, 128, 3), np.uint8) if 20 <= passed_s < 24 else colour(chance, 2)

    story = Story(toy, clock, RestingCamera(clock, ON_MOTION, image))
    story.play(40.0)
    assert story.states == ["ok", "black", "ok"]
    snapshot = story.live.snapshot()
    assert snapshot.result is not None and snapshot.result.shown == "red"


def test_a_frame_that_came_too_late_is_made_good(toy: Classifier, clock: Any, chance: np.random.Generator) -> None:
    camera = RestingCamera(clock, ON_MOTION, lambda s: colour(chance, 2 if s < 20 else 0))
    story = Story(toy, clock, camera)
    story.play(10.0)
    camera.delay_s = 0.7
    story.play(15.0)
    assert story.results[-1][1].shown == "red" and "stale" in story.states
    camera.delay_s = 0.0
    story.play(5.0)
    assert story.results[-1][1].shown == "blue" and story.states[-1] == "ok"


def test_another_model_is_asked_about_the_scene_in_its_own_region(
    toy: Classifier, clock: Any, chance: np.random.Generator
) -> None:
    camera = RestingCamera(clock, ON_MOTION, lambda s: colour(chance, 2))
    story = Story(toy, clock, camera)
    story.play(20.0)
    region = Region(0.25, 0.25, 0.5, 0.5)
    story.next_model = other = Colours(toy, region=region)
    story.play(20.0)
    assert other.num_classified == 1 and camera.watched == [None, None, region]
    assert story.live.snapshot().result is not None


@pytest.mark.parametrize("interval_s", [4.0, 60.0])
def test_a_label_holds_until_the_next_look_is_due(
    toy: Classifier, clock: Any, chance: np.random.Generator, interval_s: float
) -> None:
    camera = RestingCamera(clock, LookConfig(every_s=interval_s), lambda s: colour(chance, 2))
    story = Story(toy, clock, camera)
    for _ in range(5):
        story.play(0.9 * interval_s)
        snapshot = story.live.snapshot()
        assert snapshot.state == "ok" and snapshot.result is not None and snapshot.still_since is None
    assert story.states == ["ok"] and story.motions == []
    assert story.live.snapshot().label_valid_s < 3 * interval_s
    assert len(story.results) in (5, 6)


@pytest.mark.slow
def test_drift_is_noticed_in_a_still_scene_and_at_rare_looks(
    toy: Classifier, clock: Any, chance: np.random.Generator
) -> None:
    light = tuple(float(value) for value in np.linspace(200, 220, len(PROBABILITIES)))
    usual = tuple(float(value) for value in np.linspace(0.0, 1.0, len(PROBABILITIES)))
    reference = DriftReference(100, usual, (), light, usual)
    for look in (ON_MOTION, LookConfig(every_s=5.0), LookConfig(max_fps=1.0)):
        camera = RestingCamera(clock, look, lambda s: colour(chance, 2))
        story = Story(toy, clock, camera, drift=reference)
        story.play(60.0 * max(1.0, look.interval_s) - 10)
        assert "degraded" not in story.states, "a minute is looked at, or as many looks as would fit in one"
        story.play(40.0 * max(1.0, look.interval_s))
        assert story.states == ["ok", "degraded"] and "drift" in story.loop.status().drift


def test_words_for_the_last_label() -> None:
    assert describe_last_known(None) == "no label is known yet"
    assert re.fullmatch(r"last known: mug 0\.80, at \d\d:\d\d:\d\d", describe_last_known(LastKnown("mug", 0.8, 1e9)))
    assert re.fullmatch(r"last known: mug, at \d\d:\d\d:\d\d", describe_last_known(LastKnown("mug", None, 1e9)))
