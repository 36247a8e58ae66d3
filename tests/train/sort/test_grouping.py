"""Groups hold what looks the same and nothing else; the suggestion and the strangeness of a group."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from train.sort.grouping import describe_looks, group, strangeness, suggestion
from train.sort.index import IndexedImage, look_at

RNG = np.random.default_rng(4)


def indexed(pixels: NDArray[np.uint8]) -> IndexedImage:
    facts, _ = look_at(cv2.imencode(".png", pixels)[1].tobytes(), "test")
    assert facts is not None
    return IndexedImage("00", facts.hash, facts.thumbnail)


def scene(seed: int) -> NDArray[np.uint8]:
    ground = np.random.default_rng(seed).integers(0, 255, (6, 8, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(ground, (320, 240), interpolation=cv2.INTER_LINEAR), np.uint8)


def noisy(pixels: NDArray[np.uint8], light: int = 0) -> NDArray[np.uint8]:
    return np.clip(pixels.astype(int) + RNG.integers(-5, 6, pixels.shape) + light, 0, 255).astype(np.uint8)


def test_frames_of_one_scene_are_one_group_in_any_order_and_light() -> None:
    images = [indexed(noisy(scene(n), light)) for light in (0, 3, -3) for n in (1, 2)]
    assert group(images) == [0, 1, 0, 1, 0, 1]


def test_a_small_object_parts_frames_of_a_fixed_camera() -> None:
    # 28 x 24 of 320 x 240: less than a hundredth of the frame, which its mean does not show.
    with_object = scene(1)
    patch = with_object[100:124, 100:128]
    patch[:] = np.where(patch.mean(axis=(0, 1)) < 128, 255, 0)
    assert group([indexed(noisy(scene(1))), indexed(noisy(with_object)), indexed(noisy(scene(1)))]) == [0, 1, 0]


def test_a_slow_change_is_no_chain() -> None:
    # Each step looks like the one before, the last nothing like the first.
    first, last = scene(1).astype(float), scene(2).astype(float)
    steps = [indexed(np.asarray(first + (last - first) * part, np.uint8)) for part in np.linspace(0, 1, 60)]
    owners = group(steps)
    assert owners[1] == 0 and owners[-1] != 0 and len(set(owners)) > 3
    looks = describe_looks(steps)
    assert max(float(np.abs(looks[i] - looks[owner]).mean()) for i, owner in enumerate(owners)) <= 6.0


def test_many_groups_outgrow_the_first_table() -> None:
    images = [indexed(scene(n)) for n in range(150)]
    assert group(images + images) == [*range(150), *range(150)]
    assert group([]) == []


def test_the_suggestion_is_what_most_of_the_scores_speak_for() -> None:
    members = [{"mug": 0.6, "pen": 0.3}, {"pen": 0.5, "mug": 0.4}, {}]
    assert suggestion(members, ["mug", "pen"]) == ("mug", 0.5)
    assert suggestion(members, ["pen"]) == ("pen", 0.4)
    assert suggestion(members, ["shoe"]) == ("", 0.0)
    assert suggestion([{}], ["mug"]) == ("", 0.0)


def test_what_is_unlike_every_sorted_image_is_strange() -> None:
    known = describe_looks([indexed(scene(1)), indexed(scene(2))])
    near, far = strangeness(describe_looks([indexed(noisy(scene(2))), indexed(scene(3))]), known)
    assert near < 3 < 30 < far
    assert strangeness(known, known[:0]) == [0.0, 0.0]
