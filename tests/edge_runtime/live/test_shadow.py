"""A candidate beside the model in use: what it would have said is counted and kept, and never holds up a label."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.cameras.frame import Frame
from edge_runtime.errors import ModelError
from edge_runtime.inference.postprocess import ClassScore, Prediction
from edge_runtime.live.health_state import HealthState
from edge_runtime.live.live_state import LiveState
from edge_runtime.live.results import Counts, Pulse, Result
from edge_runtime.live.shadow import CAREFUL_SHARE, SHARE, Shadow
from edge_runtime.outputs.recorder import Recorder, RecorderConfig
from edge_runtime.outputs.web.state import make_state_object
from edge_runtime.system.thermal import SystemState


def predict(label: str, score: float = 0.9) -> Prediction:
    return Prediction(0, label, score, (ClassScore(label, score),), False)


def result(label: str = "cat", seq: int = 0) -> Result:
    return Result(seq, 1e9, 5.0, predict(label), 0, classify_ms=2.0)


def frame(value: int = 0, seq: int = 0) -> Frame:
    return Frame(np.full((4, 4, 3), value, np.uint8), seq, 0.0)


class Candidate:
    """Says "dog" of bright frames and "cat" of dark ones; waits for ``go`` and takes ``seconds`` of simulated time."""

    def __init__(self, toy: Any, clock: Any = None, seconds: float = 0.0) -> None:
        self.contract = dataclasses.replace(
            toy.contract, spec=dataclasses.replace(toy.contract.spec, name="newer"), parts={"model": "abcdef0123456789"}
        )
        self.go, self.done = threading.Event(), threading.Semaphore(0)
        self.go.set()
        self.clock, self.seconds = clock, seconds
        self.error: Exception | None = None
        self.is_closed = False

    def classify(self, pixels: np.ndarray) -> Prediction:
        assert self.go.wait(30)
        if self.clock is not None:
            self.clock.now_s += self.seconds
        try:
            if self.error is not None:
                raise self.error
            return predict("dog" if pixels.mean() > 99 else "cat", 0.7)
        finally:
            self.done.release()

    def close(self) -> None:
        self.is_closed = True


class Keeper:
    def __init__(self) -> None:
        self.kept: list[tuple[float, str, str, str]] = []

    def keep_difference(self, pixels: np.ndarray, result: Result, name: str, other: Prediction) -> None:
        self.kept.append((float(pixels.mean()), result.prediction.label, name, other.label))


def settle(shadow: Shadow) -> None:
    """Waits until the candidate's thread has nothing in hand."""
    end = threading.Event()
    for _ in range(3000):
        with shadow._changed:
            if shadow._waiting is None and not shadow._is_working:
                return
        end.wait(0.01)
    pytest.fail("the candidate's thread does not come back")


def test_of_a_file_every_frame_is_shown_and_the_differences_are_kept(toy: Any, clock: Any) -> None:
    shadow, keeper = Shadow(Candidate(toy, clock, 0.003), live=False, clock=clock), Keeper()  # type: ignore[arg-type]
    assert shadow.summary().describe() == "newer has been shown none of 0 frames"
    shadow.keepers.append(keeper)
    for seq in range(10):
        shadow.frame(frame(200 if seq < 3 else 0), result("cat", seq))
    shadow.frame(frame(), None)  # one that was refused
    summary = shadow.summary()
    assert (summary.num_labels, summary.num_seen, summary.num_agreed, summary.num_differing) == (10, 10, 7, 3)
    assert summary.share == 0.7 and summary.p50_ms == pytest.approx(3.0) and summary.used_p50_ms == 2.0
    assert summary.describe() == (
        "newer gives the same label in 7 of 10 frames (70.0 %), 3 differ; it was shown 10 of 10 and takes 3.0 ms a frame, "
        "the model in use 2.0 ms"
    )
    assert keeper.kept == [(200.0, "cat", "newer abcdef012345", "dog")] * 3
    shadow.close()


def test_a_live_run_never_waits_for_it_and_says_what_it_was_shown(toy: Any, clock: Any) -> None:
    candidate = Candidate(toy, clock)
    shadow = Shadow(candidate, live=True, clock=clock)  # type: ignore[arg-type]
    candidate.go.clear()
    for seq in range(50):  # returns at once though the first is never finished
        shadow.frame(frame(seq=seq), result(seq=seq))
    assert (shadow.summary().num_labels, shadow.summary().num_seen) == (50, 0)
    candidate.go.set()
    settle(shadow)
    assert (shadow.summary().num_labels, shadow.summary().num_seen) == (50, 1)
    assert "it was shown 1 of 50" in shadow.summary().describe()
    shadow.close()
    assert candidate.is_closed


@pytest.mark.parametrize("state", ["ok", "stale", "degraded"])
def test_it_takes_a_quarter_of_a_core_and_next_to_nothing_when_the_run_is_in_trouble(
    toy: Any, clock: Any, state: str
) -> None:
    candidate = Candidate(toy, clock, 0.04)
    shadow = Shadow(candidate, live=True, clock=clock)  # type: ignore[arg-type]
    shadow.pulse(Pulse(clock.now_s, "door", HealthState(state), "", Counts(captured=100, processed=100)))
    start_s, num = clock.now_s, 0
    while clock.now_s < start_s + 60.0:
        shadow.frame(frame(seq=num), result(seq=num))
        settle(shadow)
        clock.now_s += 0.01
        num += 1
    share = 0.04 * shadow.summary().num_seen / (clock.now_s - start_s)
    wanted = SHARE if state == "ok" else CAREFUL_SHARE
    assert 0.7 * wanted <= share <= 1.1 * wanted
    shadow.close()


def test_it_gives_way_when_the_model_in_use_misses_frames(toy: Any, clock: Any) -> None:
    shadow = Shadow(Candidate(toy, clock, 0.04), live=True, clock=clock)  # type: ignore[arg-type]

    def pulse(captured: int, dropped: int) -> None:
        counts = Counts(captured=captured, processed=captured - dropped, dropped=dropped)
        shadow.pulse(Pulse(clock.now_s, "door", HealthState.OK, "", counts))

    def rest_s() -> float:
        shadow.frame(frame(), result())
        settle(shadow)
        before_s, clock.now_s = clock.now_s, shadow._next_s
        return shadow._next_s - before_s

    pulse(100, 0)
    assert rest_s() == pytest.approx(0.12)
    pulse(200, 20)
    assert rest_s() > 1.0
    pulse(300, 20)
    assert rest_s() == pytest.approx(0.12)
    shadow.close()


def test_a_candidate_that_fails_is_shown_no_more_and_labels_go_on(toy: Any, clock: Any) -> None:
    candidate = Candidate(toy, clock)
    shadow = Shadow(candidate, live=False, clock=clock)  # type: ignore[arg-type]
    shadow.frame(frame(), result())
    candidate.error = ModelError("The model's output is not a number.")
    for seq in range(5):
        shadow.frame(frame(seq=seq), result(seq=seq))
    summary = shadow.summary()
    assert (summary.num_seen, summary.failure) == (1, "The model's output is not a number.")
    assert summary.describe().endswith("; it failed: The model's output is not a number.")
    shadow.close()


def test_what_was_counted_beside_another_model_is_forgotten(toy: Any, clock: Any) -> None:
    shadow = Shadow(Candidate(toy, clock), live=False, clock=clock)  # type: ignore[arg-type]
    first, second = Candidate(toy), Candidate(toy)
    second.contract = dataclasses.replace(second.contract, parts={"model": "0000"})
    for model, seen in ((first, 1), (first, 2), (second, 1)):
        shadow.model(model)  # type: ignore[arg-type]
        shadow.frame(frame(), result())
        assert shadow.summary().num_seen == seen
    shadow.close()


def test_page_and_metrics_say_how_it_does(toy: Any, clock: Any) -> None:
    pytest.importorskip("prometheus_client")
    from edge_runtime.outputs.web.prometheus import Metrics

    shadow = Shadow(Candidate(toy, clock, 0.004), live=False, clock=clock)  # type: ignore[arg-type]
    live = LiveState(clock=clock, shadow=shadow.summary)
    for seq in range(4):
        shadow.frame(frame(200 if seq == 0 else 0), result("cat", seq))
    state = make_state_object(live.snapshot(), SystemState(), None, 0)["shadow"]
    assert (state["num_agreed"], state["num_differing"], state["share"], state["p50_ms"]) == (3, 1, 0.75, 4.0)
    assert state["words"].startswith("newer gives the same label in 3 of 4 frames (75.0 %), 1 differ")
    text = Metrics(live, SystemState, lambda: 0).render().decode()
    assert 'edge_runtime_shadow_frames_total{agrees="yes"} 3.0' in text
    assert 'edge_runtime_shadow_frames_total{agrees="no"} 1.0' in text
    assert "edge_runtime_shadow_missed_total 0.0" in text and "edge_runtime_shadow_seconds 0.004" in text
    assert "edge_runtime_shadow_failed 0.0" in text
    without = LiveState(clock=clock)
    assert make_state_object(without.snapshot(), SystemState(), None, 0)["shadow"] is None
    assert "shadow" not in Metrics(without, SystemState, lambda: 0).render().decode()
    shadow.close()


def test_a_difference_is_recorded_at_most_once_a_second_from_whatever_thread(tmp_path: Path, clock: Any) -> None:
    recorder = Recorder(RecorderConfig(tmp_path, ("difference",)), clock)
    for seq, wait_s in enumerate((0.0, 0.2, 1.0)):
        clock.now_s += wait_s
        recorder.keep_difference(frame(90).pixels, result(seq=seq), "newer abc", predict("dog", 0.7))
    recorder.close()
    records = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json"))]
    assert [record["seq"] for record in records] == [0, 2]
    assert records[0]["candidate"] == {
        "model": "newer abc", "label": "dog", "score": 0.7, "top": [{"label": "dog", "score": 0.7}],
    }  # fmt: skip
    assert records[0]["label"] == "cat" and records[0]["reason"] == "difference"
