"""What a candidate must show: labels for a minute, most of them in time."""

from __future__ import annotations

from edge_runtime.installed.health_check import HEALTH_CHECK_S, PATIENCE_S, HealthCheck

STEP_S = 0.1


def watched(seconds: float, labels: int, late: int, trial: HealthCheck | None = None) -> HealthCheck:
    """A trial after ``seconds`` in which of ten frames ``labels`` were in time, then ``late`` too late, the rest
    none."""
    trial = trial or HealthCheck(100, 50, 0.0)
    for number in range(1, round(seconds / STEP_S) + 1):
        tens, ones = divmod(number, 10)
        trial.add(
            100 + tens * labels + min(ones, labels),
            50 + tens * late + min(max(ones - labels, 0), late),
            number * STEP_S,
        )
    return trial


def test_a_minute_of_labels_passes() -> None:
    assert not watched(HEALTH_CHECK_S - 1, 10, 0).passed
    trial = watched(HEALTH_CHECK_S + 1, 10, 0)
    assert (trial.passed, trial.failure) == (True, "")


def test_some_late_labels_are_forgiven() -> None:
    assert watched(2 * HEALTH_CHECK_S, 6, 4).passed


def test_a_model_that_is_mostly_late_fails() -> None:
    trial = watched(4 * HEALTH_CHECK_S, 3, 7)
    assert not trial.passed
    assert "labels in time and" in trial.failure
    assert "too late, expected most in time" in trial.failure


def test_half_a_minute_of_frames_without_a_label_fails() -> None:
    assert watched(PATIENCE_S - 1, 0, 10).failure == ""
    assert "It gave no label in time for 30 s" in watched(PATIENCE_S + 1, 0, 10).failure


def test_frames_that_are_no_business_of_the_model_neither_pass_nor_fail_it() -> None:
    trial = watched(100 * HEALTH_CHECK_S, 0, 0)
    assert (trial.passed, trial.failure) == (False, "")


def test_a_verdict_stays() -> None:
    trial = watched(HEALTH_CHECK_S + 1, 10, 0)
    trial.add(0, 10_000, 1e6)
    assert (trial.passed, trial.failure) == (True, "")
