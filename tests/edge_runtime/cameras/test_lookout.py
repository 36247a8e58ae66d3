"""When frames are looked at: so many a second, every so often, or while something moves; and what is told of the rest."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.cameras.lookout import SETTLE_S, WATCH_S, LookConfig, Lookout
from edge_runtime.contract import Region
from edge_runtime.errors import UsageError

FPS = 30
STILL = np.full((24, 32), 100, np.uint8)


class Camera:
    """Frames of simulated time for a `Lookout`; ``value`` is what all cells show."""

    def __init__(self, config: LookConfig) -> None:
        self.lookout = Lookout(config)
        self.number = self.num_read = 0
        self.value = 100
        self.is_frozen = False
        self.regions: list[Region | None] = []

    @property
    def now_s(self) -> float:
        return 1000 + self.number / FPS

    def read_cells(self, region: Region | None) -> np.ndarray:
        self.num_read += 1
        self.regions.append(region)
        return np.full((24, 32), self.value, np.uint8)

    def play(self, seconds: float) -> list[float]:
        """Of the frames of the next ``seconds``, the times of those that are looked at, from the start of them."""
        looked, start_s = [], self.now_s
        for _ in range(round(seconds * FPS)):
            if self.lookout.wants(self.now_s, 7 if self.is_frozen else self.number, self.read_cells):
                looked.append(self.now_s - start_s)
            self.number += 1
        return looked


@pytest.mark.parametrize("max_fps", [1.0, 4.0, 7.0, 20.0, 29.0])
def test_at_most_so_many_a_second_and_no_fewer(max_fps: float) -> None:
    camera = Camera(LookConfig(max_fps=max_fps))
    looked = camera.play(20.0)
    assert abs(len(looked) - 20 * max_fps) <= 1
    assert camera.num_read == 0, "no image is decoded for it"
    assert camera.lookout.skips.num == 20 * FPS - len(looked)


def test_a_limit_above_the_cameras_rate_skips_nothing() -> None:
    assert len(Camera(LookConfig(max_fps=60)).play(5.0)) == 5 * FPS


def test_one_every_so_often() -> None:
    assert Camera(LookConfig(every_s=2.5)).play(10.1) == pytest.approx([0.0, 2.5, 5.0, 7.5, 10.0], abs=0.04)
    assert Camera(LookConfig(every_s=2.5, max_fps=5)).play(10.1) == pytest.approx([0.0, 2.5, 5.0, 7.5, 10.0], abs=0.04)


def test_a_look_out_of_turn_is_one_and_the_next_follows_in_time() -> None:
    camera = Camera(LookConfig(every_s=10.0))
    camera.play(3.0)
    camera.lookout.look_again()
    assert camera.play(12.0) == pytest.approx([0.0, 10.0], abs=0.04)


def test_a_still_scene_is_looked_at_until_it_has_settled_and_then_no_more() -> None:
    camera = Camera(LookConfig(on_motion=True))
    assert camera.lookout.skips.still_since_s is None
    looked = camera.play(30.0)
    assert looked[-1] == pytest.approx(SETTLE_S, abs=WATCH_S + 0.05)
    assert camera.lookout.skips.still_since_s == pytest.approx(1000.0)
    assert camera.num_read <= 30.0 / WATCH_S + 1, "movement needs no image that comes sooner"


def test_movement_is_noticed_at_once_followed_and_then_over() -> None:
    camera = Camera(LookConfig(on_motion=True))
    camera.play(5.0)
    camera.value = 160
    moved_s = camera.now_s
    looked = camera.play(5.0)
    assert looked[0] <= WATCH_S + 1 / FPS
    assert looked[-1] == pytest.approx(looked[0] + SETTLE_S, abs=WATCH_S + 0.05)
    assert np.diff(looked).max() < 1.5 / FPS, "each frame while it settles"
    assert camera.lookout.skips.still_since_s == pytest.approx(moved_s + looked[0])
    assert camera.play(5.0) == []


def test_what_changes_slowly_is_looked_at_when_it_has_changed_enough() -> None:
    camera = Camera(LookConfig(on_motion=True))
    camera.play(5.0)
    looked = 0
    for _ in range(60):
        camera.value += 2
        looked += bool(camera.play(3.0))
    assert 3 <= looked <= 6, "120 of 255 by steps of 2"


def test_movement_that_goes_on_is_looked_at_as_often_as_allowed() -> None:
    camera = Camera(LookConfig(on_motion=True, max_fps=2))
    camera.play(5.0)
    looked = []
    for step in range(20):
        camera.value = 60 if step % 2 else 180
        looked += camera.play(0.5)
    assert abs(len(looked) - 20) <= 2


def test_enough_frames_follow_a_movement_for_a_label_that_is_steadied() -> None:
    camera = Camera(LookConfig(on_motion=True, max_fps=2, num_votes=5))
    camera.play(10.0)
    camera.value = 160
    assert len(camera.play(10.0)) in (5, 6)


def test_a_still_scene_is_looked_at_now_and_then_where_that_is_asked_for() -> None:
    camera = Camera(LookConfig(on_motion=True, every_s=10.0))
    camera.play(2.0)
    since_s = camera.lookout.skips.still_since_s
    looked = camera.play(40.0)
    assert len(looked) == 4 and np.diff(looked) == pytest.approx([10.0] * 3, abs=0.05)
    assert camera.lookout.skips.still_since_s == since_s, "nothing has moved, though it was looked at"


def test_a_wish_is_granted_and_is_no_movement() -> None:
    camera = Camera(LookConfig(on_motion=True, num_votes=3))
    camera.play(5.0)
    since_s = camera.lookout.skips.still_since_s
    camera.lookout.look_again()
    assert camera.play(5.0) == pytest.approx([0.0, 1 / FPS, 2 / FPS])
    assert camera.lookout.skips.still_since_s == since_s


def test_a_frozen_camera_costs_no_decoding_and_its_equal_images_are_told() -> None:
    camera = Camera(LookConfig(on_motion=True))
    camera.is_frozen = True
    camera.play(10.0)
    assert camera.num_read == 1
    skips = camera.lookout.skips
    assert (skips.fingerprint, skips.checked_s, skips.arrived_s) == (7, camera.now_s - 1 / FPS, camera.now_s - 1 / FPS)


def test_the_region_is_what_is_read() -> None:
    camera, region = Camera(LookConfig(on_motion=True)), Region(0.5, 0.5, 0.25, 0.25)
    camera.lookout.region = region
    camera.play(1.0)
    assert set(camera.regions) == {region}


def test_a_frame_of_which_nothing_is_needed_may_rest_undecoded() -> None:
    lookout = Lookout(LookConfig(max_fps=5))
    assert not lookout.rests(1000.0) and lookout.wants(1000.0, None, lambda region: STILL)
    assert lookout.rests(1000.1) and not lookout.rests(1000.21)
    assert (lookout.skips.num, lookout.skips.arrived_s) == (1, 1000.1)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"max_fps": 0.0}, r"`max_fps` is 0, expected looks a second above 0, such as 5"),
        ({"max_fps": float("nan")}, r"`max_fps` is nan, expected looks a second above 0"),
        ({"every_s": -1.0}, r"`every_s` is -1, expected seconds above 0, such as 60"),
        ({"every_s": float("inf")}, r"`every_s` is inf, expected seconds above 0"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(config: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LookConfig(**config)  # type: ignore[arg-type]
