"""How old a frame of a stream is said to be, by its own times and by when it came."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from edge_runtime.cameras.sources.opencv.stream_clock import DOUBT_S, STANDING_S, UNSEEN_S, StreamClock

BEGUN_S = 50.0
# The clock of a camera starts anywhere.
ELSEWHERE_S = -7000.0


def ages(clock: StreamClock, frames: Iterable[tuple[float, float]], *, has_waited: bool = True) -> list[float]:
    """How old ``frames``, each (when it was sent, when it is read), are called when they are read."""
    return [read_s - clock.date(sent_s + ELSEWHERE_S, read_s, has_waited=has_waited) for sent_s, read_s in frames]


def steady(first_s: float, number: int, interval_s: float = 0.1, way_s: float = 0.02) -> list[tuple[float, float]]:
    return [(first_s + count * interval_s, first_s + count * interval_s + way_s) for count in range(number)]


def settle(clock: StreamClock) -> None:
    """A second of an orderly stream, from 60.0 on."""
    assert ages(clock, steady(60.0, 10))[-1] == pytest.approx(0, abs=1e-6)


def test_frames_that_waited_while_nobody_read_are_as_old_as_they_are() -> None:
    clock = StreamClock(BEGUN_S)
    settle(clock)
    sent_s = [61.0 + 0.1 * count for count in range(25)]
    read_s = [63.02 + 0.005 * count for count in range(20)] + [63.12 + 0.1 * count for count in range(5)]
    waited_s = [read - sent - 0.02 for sent, read in zip(sent_s, read_s, strict=True)]
    found_s = ages(clock, zip(sent_s, read_s, strict=True))
    for found, waited in zip(found_s, waited_s, strict=True):
        assert found == pytest.approx(waited + (UNSEEN_S if waited > 0.1 else 0.0), abs=0.01)
    assert found_s[0] > 2.0 and found_s[-1] < 0.3


def test_what_came_while_the_stream_was_opened_is_as_old_as_the_opening() -> None:
    clock = StreamClock(BEGUN_S)
    backlog = [(51.0 + 0.1 * count, 53.0 + 0.01 * count) for count in range(23)]
    found_s = ages(clock, backlog)
    assert min(found_s) >= 3.0 and clock.is_catching_up, "none of them passes for a new one"
    assert ages(clock, steady(53.3, 10))[-1] == pytest.approx(0, abs=1e-6) and not clock.is_catching_up


def test_a_pause_while_the_first_frames_are_worked_off_is_not_their_end() -> None:
    clock = StreamClock(BEGUN_S)
    backlog = [(51.0 + 0.1 * count, 53.0 + 0.01 * count + (0.12 if count > 2 else 0)) for count in range(20)]
    assert min(ages(clock, backlog)) >= 3.0


def test_a_decoder_that_holds_frames_back_makes_them_older_by_as_many() -> None:
    clock = StreamClock(BEGUN_S, num_held=2)
    assert ages(clock, steady(60.0, 20))[-5:] == pytest.approx([0.2] * 5, abs=1e-6)
    # The camera pauses: what the decoder held is as old as the pause.
    assert ages(clock, [(62.0, 72.0)]) == pytest.approx([10.2], abs=0.05)


@pytest.mark.parametrize("stamps", [lambda sent_s: 0.0, lambda sent_s: -sent_s], ids=["missing", "falling"])
def test_times_that_do_not_rise_say_nothing(stamps: object) -> None:
    clock = StreamClock(BEGUN_S)
    found_s = [read_s - clock.date(stamps(sent_s), read_s) for sent_s, read_s in steady(60.0, 20)]  # type: ignore[operator]
    assert found_s[5:] == pytest.approx([0.0] * 15, abs=1e-6)


@pytest.mark.parametrize("jump_s", [-3600.0, -0.5, 0.5, 3600.0])
def test_a_clock_that_is_set_makes_no_frame_old(jump_s: float) -> None:
    clock = StreamClock(BEGUN_S)
    settle(clock)
    frames = [(sent_s + jump_s, read_s) for sent_s, read_s in steady(61.0, 20)]
    assert ages(clock, frames) == pytest.approx([0.0] * 20, abs=1e-6)


@pytest.mark.parametrize("rate", [0.9999, 0.995, 1.0001, 1.05, 2.0])
def test_a_clock_that_runs_a_little_slow_or_fast_is_believed(rate: float) -> None:
    clock = StreamClock(BEGUN_S)
    frames = [(sent_s * rate, read_s) for sent_s, read_s in steady(60.0, 3000)]
    assert max(ages(clock, frames)[60:]) < 0.01


def test_a_clock_that_is_far_too_slow_is_doubted_and_does_not_make_frames_old_for_ever() -> None:
    clock = StreamClock(BEGUN_S)
    settle(clock)
    dark = [(61.0 + 0.05 * count, 61.02 + 0.1 * count) for count in range(3000)]  # half as many frames as it counts
    found_s = ages(clock, dark)
    first = round(STANDING_S / 0.1)
    assert max(found_s[first + 5 :]) == 0.0
    assert max(found_s[:first]) > 1.0, "until then it may be a backlog"
    # In the light again it is believed again.
    light_s, seen_s = dark[-1]
    light = [
        (light_s + 0.1 * count, seen_s + 0.1 * count) for count in range(1, round((STANDING_S + DOUBT_S) / 0.1) + 5)
    ]
    assert ages(clock, light)[-1] == 0.0
    assert ages(clock, [(light[-1][0] + 0.1, light[-1][1] + 1.6)]) == pytest.approx([1.5 + UNSEEN_S], abs=0.01)


def test_a_reader_that_is_too_slow_is_told_from_a_slow_clock_by_never_having_to_wait() -> None:
    clock = StreamClock(BEGUN_S)
    settle(clock)
    frames = [(61.0 + 0.05 * count, 61.02 + 0.1 * count) for count in range(600)]
    found_s = ages(clock, frames, has_waited=False)
    assert found_s == pytest.approx([read - sent - 0.02 for sent, read in frames], abs=UNSEEN_S + 1e-6)
    assert found_s[-1] > 29.0
    opening = StreamClock(BEGUN_S)
    assert min(ages(opening, frames, has_waited=False)) > 10.0, "nor is the end of its opening ever reached"
    assert not opening.is_catching_up, "but after a while its frames are handed out as the old ones that they are"


def test_a_stop_is_not_taken_for_a_slow_clock_however_long_it_is() -> None:
    clock = StreamClock(BEGUN_S)
    settle(clock)
    for count in range(10):
        at_s = 61.0 + 20 * count
        assert ages(clock, [(at_s + 0.1, at_s + 15.0)])[0] > 14.0
        assert ages(clock, steady(at_s + 15.1, 20))[-1] == pytest.approx(0.0, abs=1e-6)


def test_no_frame_is_older_than_the_one_before_it() -> None:
    clock = StreamClock(BEGUN_S, num_held=1)
    dates = [
        clock.date(sent_s, read_s) for sent_s, read_s in [*steady(60.0, 30), (62.9, 63.3), (60.0, 63.4), (63.5, 63.6)]
    ]
    assert dates == sorted(dates)
