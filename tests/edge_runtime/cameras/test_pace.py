"""How often a camera gives a frame is learnt from its frames, and not from its failures."""

from __future__ import annotations

import pytest

from edge_runtime.cameras.pace import PATIENCE, UNKNOWN_S, Pace


def test_a_limit_follows_the_interval_once_four_frames_have_come() -> None:
    pace = Pace()
    for number in range(3):
        pace.add(number, 5.0 * number)
        assert pace.interval_s is None and pace.limit_s(3.0) == UNKNOWN_S
    pace.add(3, 15.0)
    assert pace.interval_s == 5.0 and pace.limit_s(3.0) == 15.0


def test_a_camera_that_fails_after_each_first_frame_is_not_waited_for_longer_each_time() -> None:
    pace, now_s = Pace(), 0.0
    for number in range(20):
        pace.add(number, now_s)
        limit_s = pace.limit_s(0.4, 0.4)
        assert limit_s <= PATIENCE * 0.4
        pace.interrupt()
        now_s += limit_s + 1.0
    assert pace.interval_s is None


def test_a_camera_slower_than_what_is_waited_at_first_is_given_longer_and_then_known() -> None:
    pace = Pace()
    pace.add(0, 0.0)
    assert pace.limit_s(3.0) == 20.0
    pace.interrupt()  # it was given up after 20 s, and its frame came 30 s after the one before
    pace.add(1, 30.0)
    assert pace.limit_s(3.0) == 60.0
    for number in (2, 3, 4):
        pace.add(number, 30.0 * number)
    assert pace.interval_s == 30.0 and pace.limit_s(3.0) == 90.0


@pytest.mark.parametrize("expect_fps, limit_s", [(0.1, 30.0), (30.0, 3.0)])
def test_an_expected_rate_is_known_from_the_start(expect_fps: float, limit_s: float) -> None:
    assert Pace(expect_fps).limit_s(3.0) == limit_s


def test_the_shortest_interval_follows_a_slow_camera_and_no_outage() -> None:
    pace, expected = Pace(), Pace(expect_fps=0.5)
    assert pace.shortest_s is None and expected.shortest_s == 2.0
    for number, now_s in enumerate([0.0, 5.0, 10.0, 15.2]):
        pace.add(number, now_s)
    assert pace.shortest_s == pytest.approx(5.0)
    for number, now_s in enumerate([15.3, 20.0, 30.0], 4):  # one quick frame between two outages
        pace.add(number, now_s)
    assert pace.shortest_s == pytest.approx(0.1)
