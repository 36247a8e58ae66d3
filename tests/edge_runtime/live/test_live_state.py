"""What others may see of a run: labels only while they hold, rates, latencies, changes, and a loop that hangs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from edge_runtime.cameras.frame import Frame
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.postprocess import ClassScore, Prediction
from edge_runtime.live.health_state import HealthState
from edge_runtime.live.label_changes import LabelChanges
from edge_runtime.live.live_state import LABEL_VALID_S, STALLED_S, LiveState
from edge_runtime.live.loop import Loop
from edge_runtime.live.loop_config import LoopConfig
from edge_runtime.live.results import Counts, Event, Pulse, Result, Status
from edge_runtime.outputs.fan_out import FanOut

FRAME = Frame(np.zeros((4, 4, 3), np.uint8), 0, 0.0)


def result(label: str = "cat", score: float = 0.9, held: str | None = None, age_ms: float = 5.0) -> Result:
    top = (ClassScore("cat", score), ClassScore("dog", 1 - score))
    return Result(1, 1e9, age_ms, Prediction(0, label, score, top, label == "unknown"), 0, "", held)


def pulse(now_s: float, state: str = "ok", captured: int = 0, processed: int = 0) -> Pulse:
    return Pulse(now_s, "door", HealthState(state), f"it is {state}", Counts(captured, processed, captured - processed))


@pytest.fixture
def live(clock: Any) -> LiveState:
    return LiveState(clock=clock)


def test_before_the_first_sign_of_life_the_run_is_starting(live: LiveState) -> None:
    snapshot = live.snapshot()
    assert (snapshot.state, snapshot.result, snapshot.healthy) == ("starting", None, False)


def test_a_label_holds_while_the_camera_is_believed(live: LiveState, clock: Any) -> None:
    live.pulse(pulse(clock.now_s))
    live.frame(FRAME, result())
    assert live.snapshot().result is not None
    for state in ("no_camera", "frozen", "black", "stale", "starting"):
        live.pulse(pulse(clock.now_s, state))
        assert live.snapshot().result is None and not live.snapshot().healthy
    live.pulse(pulse(clock.now_s, "degraded"))
    assert live.snapshot().result is not None and live.snapshot().healthy


def test_a_label_ends_when_no_other_follows_or_its_frame_was_refused(live: LiveState, clock: Any) -> None:
    live.frame(FRAME, result())
    clock.now_s += LABEL_VALID_S + 0.1
    live.pulse(pulse(clock.now_s))
    assert live.snapshot().result is None
    live.frame(FRAME, result())
    live.frame(FRAME, None)
    assert live.snapshot().result is None


def test_a_loop_that_hangs_is_told(live: LiveState, clock: Any) -> None:
    live.pulse(pulse(clock.now_s))
    clock.now_s += STALLED_S + 1
    snapshot = live.snapshot()
    assert snapshot.state == "stalled"
    assert "has not answered for 4 s" in snapshot.reason


def test_rates_are_those_of_the_last_five_seconds(live: LiveState, clock: Any) -> None:
    for step in range(100):
        clock.now_s += 0.25
        fast = max(0, step - 50)
        live.pulse(pulse(clock.now_s, captured=step + 6 * fast, processed=step))
    rates = live.snapshot().rates
    assert (rates.captured, rates.processed, rates.dropped) == (pytest.approx(28), pytest.approx(4), pytest.approx(24))


def test_latency_percentiles_come_from_the_last_labels(live: LiveState) -> None:
    assert live.snapshot().latency_p50_ms is None
    for age_ms in range(101):
        live.frame(FRAME, result(age_ms=float(age_ms)))
    assert (live.snapshot().latency_p50_ms, live.snapshot().latency_p95_ms) == (50, 95)


def test_changes_are_counted_kept_to_a_dozen_and_never_flooded(live: LiveState, clock: Any) -> None:
    for number in range(40):
        live.frame(FRAME, result(f"label {number}"))
        clock.now_s += 0.25
    changes = live.snapshot().changes
    assert [change.number for change in changes] == list(range(9, 21))
    assert live.num_changes == 20


def test_a_change_to_unknown_says_why(live: LiveState, clock: Any) -> None:
    live.frame(FRAME, result("cat"))
    clock.now_s += 1
    unknown = Prediction(0, "unknown", 0.4, (ClassScore("cat", 0.4),), True, "not sure")
    live.frame(FRAME, dataclasses.replace(result("cat"), prediction=unknown))
    assert [(change.label, change.reason) for change in live.snapshot().changes] == [
        ("cat", ""),
        ("unknown", "not sure"),
    ]


def test_the_steadied_label_is_what_changes(live: LiveState, clock: Any) -> None:
    for held in ("", "cat", "cat", "dog"):
        live.frame(FRAME, result("cat", held=held))
        clock.now_s += 1
    assert [change.label for change in live.snapshot().changes] == ["cat", "dog"]


def test_a_change_that_came_too_soon_counts_later_if_it_lasts() -> None:
    changes = LabelChanges(spacing_s=0.5)
    assert [changes.add(label, now_s) for label, now_s in (("a", 0), ("b", 0.1), ("a", 0.2), ("b", 0.4), ("b", 0.6))] == [
        True, False, False, False, True,
    ]  # fmt: skip


class Everything:
    """A sink, an observer and a talker that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.pulses: list[Pulse] = []
        self.events: list[Event] = []

    def result(self, result: Result) -> None:
        self.told.append("result")

    def event(self, event: Event) -> None:
        self.told.append(f"event {event.kind}")

    def status(self, status: Status) -> None:
        self.told.append("status")

    def model(self, classifier: Classifier) -> None:
        self.told.append("model")

    def frame(self, frame: Frame, result: Result | None) -> None:
        self.told.append("frame" if result else "refused")

    def pulse(self, pulse: Pulse) -> None:
        self.pulses.append(pulse)

    def take_events(self) -> list[Event]:
        return [Event(0.0, "recorder", "failing", "full")] if len(self.pulses) == 1 else []


def test_the_loop_shows_its_observer_model_frames_and_pulses_and_outputs_may_speak(toy: Classifier, clock: Any) -> None:
    from edge_runtime.cameras.frame import FrameSource, SourceCounts
    from edge_runtime.cameras.sources.synthetic import draw_numbered_image, draw_wave_image

    background = draw_wave_image(96, 256)

    class Camera(FrameSource):
        name, live, taken = "door", True, 0

        def read(self, timeout_s: float = 1.0) -> Frame | None:
            clock.now_s += 0.05
            self.taken += 1
            image = (
                draw_numbered_image(background, self.taken) if self.taken <= 20 else np.zeros((96, 256, 3), np.uint8)
            )
            return Frame(image, self.taken, clock.now_s, fingerprint=self.taken)

        def counts(self) -> SourceCounts:
            return SourceCounts(captured=self.taken)

    every, camera = Everything(), Camera()
    fan_out = FanOut([every], [every], [every])
    loop = Loop(toy, camera, fan_out, LoopConfig(), clock, observer=fan_out)
    loop.run(lambda: camera.taken >= 60)
    assert every.told[0] == "model"
    assert every.told.count("frame") == every.told.count("result") == 20
    assert every.told.count("refused") == 40
    assert every.told.count("event recorder") == 1
    assert [pulse.state for pulse in every.pulses][-1] == "black"
    gaps = np.diff([pulse.now_s for pulse in every.pulses])
    assert gaps.max() <= 0.25 + 1e-6 and len(gaps) > 10
    assert every.pulses[-1].counts.captured == every.pulses[-1].counts.processed
