"""Drift is noticed within two minutes when the light, the focus or the scenes change for good, and never of normal
scenes, be it one for hours or another each second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from edge_runtime.contract import Contract, contract_from_json, to_json
from edge_runtime.contract.drift_reference import PROBABILITIES, DriftReference
from edge_runtime.errors import ModelError
from edge_runtime.inference.postprocess import ClassScore, Prediction
from edge_runtime.live.drift import DriftWatch
from edge_runtime.live.health import Health
from edge_runtime.live.health_state import HealthState
from edge_runtime.pixels.light import measure_light

Scene = tuple[np.ndarray, float, float]


def draw_scene(random: np.random.Generator) -> Scene:
    """An image of sharp rectangles with the score and the similarity of a normal one."""
    image = np.full((48, 48, 3), random.integers(60, 200), np.uint8)
    for _ in range(12):
        (top, left), (height, width) = random.integers(0, 44, 2), random.integers(3, 24, 2)
        image[top : top + height, left : left + width] = random.integers(40, 216)
    return image, float(1 - random.beta(1, 8)), float(1 - random.beta(2, 40))


@pytest.fixture(scope="module")
def reference() -> DriftReference:
    random = np.random.default_rng(1)
    scenes = [draw_scene(random) for _ in range(300)]
    lights = [measure_light(image) for image, _, _ in scenes]
    signals = (
        [score for _, score, _ in scenes],
        [similarity for _, _, similarity in scenes],
        [light.mean for light in lights],
        [light.sharpness for light in lights],
    )
    return DriftReference(300, *(tuple(np.quantile(values, PROBABILITIES).tolist()) for values in signals))


def predict(score: float, similarity: float | None) -> Prediction:
    return Prediction(0, "cat", score, (ClassScore("cat", score),), False, "", similarity)


def play(watch: DriftWatch, scenes: Iterator[Scene], seconds: int, start_s: float = 0.0) -> float | None:
    """Feeds one frame per second; after how many seconds something had drifted, or None."""
    for second in range(seconds):
        image, score, similarity = next(scenes)
        watch.add(image, predict(score, similarity), start_s + second)
        if watch.reason:
            return second
    return None


def many(change: Callable[[Scene], Scene] = lambda scene: scene, *, each_s: int = 1, seed: int = 2) -> Iterator[Scene]:
    random = np.random.default_rng(seed)
    while True:
        scene = change(draw_scene(random))
        yield from (scene for _ in range(each_s))


def darken(scene: Scene) -> Scene:
    return (scene[0] * 0.1).astype(np.uint8), scene[1], scene[2]


def blur(scene: Scene) -> Scene:
    smooth = scene[0].astype(float)
    for axis in (0, 1):
        smooth = sum(np.roll(smooth, step, axis) for step in range(-4, 5)) / 9
    return smooth.astype(np.uint8), scene[1], scene[2]


def estrange(scene: Scene) -> Scene:
    """Two of three foreign images are below the 5th percentile of normal ones."""
    return scene[0], scene[1] * 0.55, scene[2] * 0.9


CHANGES = {"dark": darken, "blurred": blur, "foreign": estrange}
WORDS = {"dark": "the light is far too low", "blurred": "the sharpness is far too low", "foreign": "of the last"}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("each_s", [1, 3])
def test_a_change_for_good_is_noticed_within_two_minutes(reference: DriftReference, change: str, each_s: int) -> None:
    watch = DriftWatch(reference)
    assert play(watch, many(each_s=each_s), 600) is None
    found = play(watch, many(CHANGES[change], each_s=each_s, seed=3), 120, 600.0)
    assert (found is not None and WORDS[change] in watch.reason) or "far too low" in watch.reason
    assert watch.reason.startswith("drift: ")


@pytest.mark.parametrize("change", ["dark", "blurred"])
def test_of_one_scene_too(reference: DriftReference, change: str) -> None:
    scene = CHANGES[change](draw_scene(np.random.default_rng(4)))
    assert play(DriftWatch(reference), iter([scene] * 120), 120) is not None


@pytest.mark.slow
def test_hours_of_normal_scenes_raises_nothing(reference: DriftReference) -> None:
    watch = DriftWatch(reference)
    assert play(watch, many(), 3600) is None
    assert play(watch, many(each_s=30, seed=5), 2 * 3600, 3600.0) is None


@pytest.mark.slow
def test_hardly_any_normal_scene_raises_something_when_it_is_shown_for_ever(reference: DriftReference) -> None:
    random = np.random.default_rng(6)
    scenes = [draw_scene(random) for _ in range(400)]
    raised = 0
    for scene in scenes:
        watch = DriftWatch(reference)
        for second in range(0, 94, 3):
            watch.add(scene[0], predict(*scene[1:]), float(second))
        raised += bool(watch.reason)
    assert raised <= 4


def test_a_dark_minute_is_no_drift_and_it_ends_when_the_light_comes_back(reference: DriftReference) -> None:
    watch = DriftWatch(reference)
    assert play(watch, many(), 200) is None
    assert play(watch, many(darken), 60, 200.0) is None
    assert play(watch, many(), 200, 260.0) is None
    assert play(watch, many(darken), 120, 460.0) is not None
    scenes = many(seed=7)
    for second in range(120):
        image, score, similarity = next(scenes)
        watch.add(image, predict(score, similarity), 580.0 + second)
    assert watch.reason == ""


def test_light_that_is_far_too_high_is_drift(reference: DriftReference) -> None:
    white = np.full((32, 32, 3), 250, np.uint8)
    white[::8] = 240
    watch = DriftWatch(reference)
    assert play(watch, iter([(white, 0.9, 0.95)] * 120), 120) is not None
    assert "the light is far too high: 249" in watch.reason


def test_a_model_without_neighbours_is_watched_by_the_rest(reference: DriftReference) -> None:
    bare = DriftReference(300, reference.scores, (), reference.light, reference.sharpness)
    watch = DriftWatch(bare)
    for second in range(120):
        watch.add(darken(draw_scene(np.random.default_rng(second)))[0], predict(0.9, None), float(second))
    assert "the light is far too low" in watch.reason


def test_one_frame_a_second_is_enough(reference: DriftReference) -> None:
    watch = DriftWatch(reference)
    watch.add(*_args(10.0))
    assert not watch.is_due(10.5) and watch.is_due(11.0)


def _args(now_s: float) -> tuple[np.ndarray, Prediction, float]:
    return draw_scene(np.random.default_rng(0))[0], predict(0.9, 0.9), now_s


def test_health_says_degraded_by_drift_and_labels_are_believed_still() -> None:
    health = Health(0.0)
    frame = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    assert health.frame(frame, 1, 1, 0.1)
    health.labelled(0.1)
    assert health.condition(0.2).state is HealthState.OK
    health.drift("drift: it is dark")
    condition = health.condition(0.3)
    assert (condition.state, condition.reason, condition.causes) == (
        HealthState.DEGRADED, "drift: it is dark", ("drift",),
    )  # fmt: skip
    assert condition.state.is_believed
    health.drift("")
    assert health.condition(0.4).state is HealthState.OK


def test_the_reference_travels_in_the_contract_and_old_files_have_none(
    reference: DriftReference, toy_contract: Callable[[str], Contract]
) -> None:
    import dataclasses

    contract = toy_contract("uint8")
    assert contract.drift is None and '"drift"' not in to_json(contract)
    assert contract_from_json(to_json(dataclasses.replace(contract, drift=reference))).drift == reference


@pytest.mark.parametrize("values", [(1.0,), tuple(range(9, 0, -1)), (float("nan"),) * 9])
def test_a_reference_that_cannot_be_is_refused(reference: DriftReference, values: tuple[float, ...]) -> None:
    with pytest.raises(ModelError, match=r"drift reference's scores are \[.*\], expected 9 rising numbers"):
        DriftReference(300, values, (), reference.light, reference.sharpness)
    with pytest.raises(ModelError, match="is that of 0 images, expected at least 1"):
        DriftReference(0, reference.scores, (), reference.light, reference.sharpness)
