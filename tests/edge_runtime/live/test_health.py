"""The camera's state from frames and times alone: frozen, one colour, silent, stale, slow, and what must not be
flagged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from edge_runtime.cameras.sources.synthetic import draw_numbered_image, draw_wave_image
from edge_runtime.live.health import Health, HealthConfig, explain_one_colour
from edge_runtime.live.health_state import HealthState

BACKGROUND = draw_wave_image(96, 256)
FPS = 30


def scene(number: int) -> np.ndarray:
    return draw_numbered_image(BACKGROUND, number)


def states(
    health: Health, images: Iterator[tuple[np.ndarray, int]], fps: float = FPS
) -> Iterator[tuple[float, str, bool]]:
    """(seconds since the start, state, may be labelled) for each (image, fingerprint) at a steady rate."""
    for number, (image, fingerprint) in enumerate(images):
        now_s = number / fps
        allowed = health.frame(image, fingerprint, number + 1, now_s)
        yield now_s, health.condition(now_s).state, allowed


def test_a_camera_is_starting_until_its_first_frame_and_missing_when_it_says_why_or_takes_too_long() -> None:
    health = Health(0.0)
    health.silence(0, 1.0)
    assert health.condition(1.0).state == "starting"
    health.silence(0, 20.5)
    assert health.condition(20.5).state == "no_camera"
    troubled = Health(0.0)
    troubled.silence(0, 0.5, "the cable is out")
    assert (troubled.condition(0.5).state, troubled.condition(0.5).reason) == ("no_camera", "the cable is out")


def test_silence_is_flagged_within_two_seconds_and_the_next_frame_ends_it() -> None:
    health = Health(0.0)
    for number in range(FPS + 1):
        health.frame(scene(number), number, number + 1, number / FPS)
    assert health.condition(2.4).state == "ok"
    health.silence(FPS + 1, 2.9)
    assert health.condition(2.9).state == "no_camera"
    assert "no frame for 1.9 s" in health.condition(2.9).reason
    assert health.frame(scene(99), 99, FPS + 2, 60.0)
    assert health.condition(60.0).state == "ok"


def test_a_repeated_image_is_flagged_as_frozen_after_five_seconds_and_gets_no_label() -> None:
    timeline = list(states(Health(0.0), ((scene(7), 77) for _ in range(8 * FPS))))
    flagged_s = next(now_s for now_s, state, _ in timeline if state == "frozen")
    assert 4.0 <= flagged_s <= 6.0
    assert all(allowed == (state == "ok") for _, state, allowed in timeline)


def test_a_thawed_camera_is_believed_at_once() -> None:
    images = [(scene(7), 77)] * (6 * FPS) + [(scene(8), 78)]
    assert list(states(Health(0.0), iter(images)))[-1][1:] == ("ok", True)


def test_a_static_but_noisy_scene_is_never_flagged() -> None:
    random = np.random.default_rng(0)
    noisy = (
        np.clip(scene(0) + random.normal(0, 1, BACKGROUND.shape), 0, 255).astype(np.uint8) for _ in range(20 * FPS)
    )
    assert {state for _, state, _ in states(Health(0.0), ((image, hash(image.tobytes())) for image in noisy))} == {"ok"}


@pytest.mark.parametrize(("value", "colour"), [(0, "black"), (255, "white"), (3, "black"), (128, "one colour")])
def test_an_image_of_one_colour_gets_no_label_from_its_first_frame_and_is_flagged_within_three_seconds(
    value: int, colour: str
) -> None:
    random = np.random.default_rng(value)
    covered = [
        (np.clip(random.normal(value, 0.8, BACKGROUND.shape), 0, 255).astype(np.uint8), number)
        for number in range(3 * FPS)
    ]
    health = Health(0.0)
    timeline = list(states(health, iter(covered)))
    assert not any(allowed for _, _, allowed in timeline)
    assert next(now_s for now_s, state, _ in timeline if state == "black") < 3.0
    assert f"the image is {colour}" in health.condition(3.0).reason


def test_coloured_one_colour_frames_are_recognised_too() -> None:
    assert "one colour" in explain_one_colour(np.full((480, 640, 3), (200, 30, 30), np.uint8))


def test_a_night_scene_is_not_flagged() -> None:
    night = (scene(0).astype(np.float64) * 12 / scene(0).mean()).astype(np.uint8)
    assert 10 < night.mean() < 13
    noisy = [
        (np.clip(night + np.random.default_rng(n).normal(0, 1, night.shape), 0, 255).astype(np.uint8), n)
        for n in range(150)
    ]
    assert {state for _, state, _ in states(Health(0.0), iter(noisy))} == {"ok"}


def test_a_frame_rate_that_collapses_to_thirty_percent_is_degraded_within_ten_seconds_and_still_labelled() -> None:
    health = Health(0.0)
    captured, now_s, flagged_s = 0, 0.0, None
    while now_s < 30.0:
        now_s += 1 / FPS if now_s < 20.0 else 1 / (0.3 * FPS)
        captured += 1
        assert health.frame(scene(captured), captured, captured, now_s)
        if flagged_s is None and health.condition(now_s).state == "degraded":
            flagged_s = now_s
    assert flagged_s is not None
    assert 20.0 < flagged_s < 30.0
    assert re.fullmatch(r"low_fps: 9\.0 frames per second, usually (29|30)\.\d", health.condition(now_s).reason)


def test_a_steady_slow_camera_is_not_degraded() -> None:
    images = ((scene(number), number) for number in range(60))
    assert {state for _, state, _ in states(Health(0.0), images, fps=2)} == {"ok"}


def test_frames_that_are_always_too_old_are_stale_and_the_reason_names_their_age() -> None:
    health = Health(0.0)
    health.frame(scene(0), 0, 1, 0.0)
    for tenth in range(1, 20):
        health.too_old(730.0, tenth + 1, tenth / 10)
    assert health.condition(1.9).state == "stale"
    assert "730 ms old" in health.condition(1.9).reason
    health.frame(scene(21), 21, 22, 2.0)
    assert health.condition(2.0).state == "stale"  # it may still take too long
    health.labelled(2.0)
    assert health.condition(2.0).state == "ok"


def test_the_limits_can_be_set() -> None:
    health = Health(0.0, HealthConfig(frozen_s=1.0))
    assert [state for _, state, _ in states(health, ((scene(1), 1) for _ in range(32)))][-1] == "frozen"


def test_each_state_says_whether_a_label_may_be_believed_and_whether_the_image_is_live() -> None:
    believed = {state.value for state in HealthState if state.is_believed}
    live = {state.value for state in HealthState if state.is_live}
    assert believed == {"ok", "degraded"}
    assert live == believed | {"starting", "black"}
    assert [f"{state}" for state in HealthState] == [state.value for state in HealthState]


def test_images_that_arrive_and_cannot_be_used_are_damaged_and_not_silent() -> None:
    health = Health(0.0)
    for number in range(100):
        health.silence(0, number * 0.1, num_bad=2 * number)
    condition = health.condition(9.9)
    assert condition.state == "damaged" and not condition.state.is_believed
    assert condition.reason.startswith("198 images came since the last good one, and all are damaged or of a format")
    assert "check cable, USB hub, bandwidth" in condition.reason
    health.silence(0, 20.0, "the cable is out", num_bad=198)
    assert health.condition(20.0).state == "no_camera", "silence is silence again"


def watch(
    health: Health, times: list[float], end_s: float, fingerprint: Callable[[int], int] = lambda n: n
) -> list[str]:
    """The states in their order, each once in a row, of frames at ``times`` and of looking every quarter of a second
    between.
    """
    seen = ["starting"]
    for tick in range(int(end_s * 4)):
        now_s, captured = tick / 4, sum(time_s <= tick / 4 for time_s in times)
        if tick / 4 in times:
            health.frame(scene(captured), fingerprint(captured), captured, now_s)
        else:
            health.silence(captured, now_s)
        state = str(health.condition(now_s).state)
        seen += [state] if state != seen[-1] else []
    return seen


@pytest.mark.parametrize("interval_s", [1.0, 2.0, 5.0, 10.0])
def test_a_camera_that_is_slow_by_nature_is_never_silent_slow_or_frozen(interval_s: float) -> None:
    times = [0.5 + interval_s * number for number in range(20)]
    assert watch(Health(0.0), times, times[-1] + 1) == ["starting", "ok"]


def test_a_slow_camera_that_ends_is_missed_after_three_of_its_intervals() -> None:
    health = Health(0.0)
    assert watch(health, [2.0 * number for number in range(10)], 18.0 + 5.75) == ["starting", "ok"]
    health.silence(10, 24.25)
    assert health.condition(24.25).state == "no_camera"


def test_an_expected_rate_holds_from_the_first_frame_on() -> None:
    times = [30.0 * number for number in range(1, 5)]
    assert watch(Health(0.0), times, 125.0)[:3] == ["starting", "no_camera", "ok"]
    assert watch(Health(0.0, HealthConfig(expect_fps=1 / 30)), times, 125.0) == ["starting", "ok"]


def test_a_stream_that_repeats_an_image_until_the_next_is_taken_for_frozen_once_or_never() -> None:
    times = [tick / 4 for tick in range(4 * 60)]
    assert watch(Health(0.0), times, 60.0, lambda number: number // 40) == ["starting", "ok", "frozen", "ok"]
    expected = Health(0.0, HealthConfig(expect_fps=0.1))
    assert watch(expected, times, 60.0, lambda number: number // 40) == ["starting", "ok"]


def test_damaged_images_of_a_slow_camera_are_no_silence_between() -> None:
    health, seen = Health(0.0), ["starting"]
    for tick in range(4 * 100):
        health.silence(0, tick / 4, num_bad=tick // 40)
        state = str(health.condition(tick / 4).state)
        seen += [state] if state != seen[-1] else []
    assert seen == ["starting", "damaged", "no_camera", "damaged"]


def test_a_label_holds_as_long_as_the_next_frame_of_its_camera_is_awaited() -> None:
    health = Health(0.0)
    assert health.label_valid_s == 2.0
    watch(health, [10.0 * number for number in range(5)], 45.0)
    assert health.label_valid_s == 30.0
