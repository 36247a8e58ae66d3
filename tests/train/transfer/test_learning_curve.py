"""The learning curve: larger subsets hold the smaller ones, near-duplicates count once, and the sentence is careful."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs TensorFlow, the workstation's environment")
pytestmark = pytest.mark.tensorflow

from train.transfer import head, learning_curve  # noqa: E402
from train.transfer.head_choice import ENOUGH_IMAGES, HeadSettings, Views  # noqa: E402
from train.transfer.learning_curve import (  # noqa: E402
    NUM_FOLDS,
    SHARES,
    LearningCurve,
    _order_groups,
    measure_learning_curve,
)

NUM_CLASSES, NUM_FEATURES = 3, 30
SETTINGS = HeadSettings(np.ones(NUM_CLASSES, np.float32), 0, 0.1)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "NUM_STEPS", 80)


def noisy_views(num: int, seed: int) -> Views:
    """Three classes, each with its own direction under much noise: many images are needed to see it."""
    random = np.random.default_rng(seed)
    labels = np.arange(num) % NUM_CLASSES
    means = np.random.default_rng(99).normal(0, 0.7, (NUM_CLASSES, NUM_FEATURES))
    features = random.normal(0, 1.5, (num, 2, NUM_FEATURES)) + means[labels][:, None]
    return Views(features.astype(np.float32), labels.astype(np.int64))


def test_more_images_help_where_they_are_few_and_a_validation_split_judges() -> None:
    curve = measure_learning_curve(
        noisy_views(90, 0), noisy_views(ENOUGH_IMAGES * 4, 1), range(90), SETTINGS, mirrored=False
    )
    assert curve.num_folds == 1 and curve.num_different == (22, 45, 68, 90)
    assert curve.accuracies[0] < curve.accuracies[-1]
    facts = json.loads(json.dumps(curve.facts(("a", "b", "c"))))
    assert facts["shares"] == list(SHARES) and facts["num_images"] == ENOUGH_IMAGES * 4
    assert all(low < rate < high for rate, (low, high) in zip(facts["accuracy"], facts["interval"], strict=True))
    assert set(facts["class_gain"]) == {"a", "b", "c"} and "22, 45, 68, 90 different images" in facts["sentence"]


def test_few_images_judge_each_other_and_near_duplicates_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    real = learning_curve._learn

    def watch(training: Views, judged: Views, groups, order, settings, *, mirrored):  # type: ignore[no-untyped-def]
        counts = np.bincount(judged.labels, minlength=NUM_CLASSES)
        assert counts.max() <= counts.min() + 2, "each fold judges its share of each class"
        known = {row.tobytes() for row in training.features}
        assert not any(row.tobytes() in known for row in judged.features), "a copy is judged by a head that saw it"
        asked.append((len(order), len(groups)))
        return real(training, judged, groups, order, settings, mirrored=mirrored)

    monkeypatch.setattr(learning_curve, "_learn", watch)
    once = noisy_views(24, 0)
    twice = Views(np.concatenate([once.features] * 2), np.concatenate([once.labels] * 2))
    groups = [*range(24), *range(24)]
    curve = measure_learning_curve(twice, noisy_views(6, 1), groups, SETTINGS, mirrored=True)
    assert curve.num_folds == NUM_FOLDS and len(curve.labels) == 54
    assert curve.num_different == (5, 10, 15, 20), "30 different images, two thirds of them at a time"
    assert all(images > num for num, images in asked)


def test_every_stretch_of_the_order_has_its_share_of_each_class() -> None:
    labels = np.repeat(np.arange(3), (60, 30, 12))
    order = _order_groups(labels, np.arange(len(labels)), 0)
    assert sorted(order.tolist()) == list(range(len(labels)))
    for share in SHARES:
        counts = np.bincount(labels[order[: round(share * len(order))]], minlength=3)
        np.testing.assert_allclose(counts, np.array([60, 30, 12]) * share, atol=1.5)


def curve_of(half: int, whole: int, num: int) -> LearningCurve:
    """All that half the images get right, the whole set gets right too, and more."""
    right = np.arange(num)[None] < np.array([[half], [half], [whole], [whole]])
    return LearningCurve(right, np.zeros(num, np.int64), (1, 2, 3, 4), 1)


def test_the_sentence_says_more_only_where_the_images_can_tell() -> None:
    assert "more images would help (the second half brought +10.0 points" in curve_of(800, 900, 1000).sentence()
    assert "more images like these would hardly help" in curve_of(900, 900, 1000).sentence()
    assert "these images cannot tell whether more would help" in curve_of(18, 19, 20).sentence()


def test_a_class_that_nobody_judges_has_no_gain() -> None:
    assert curve_of(8, 9, 10).gain(1) == (0.0, -1.0, 1.0)
    assert curve_of(8, 9, 10).gain(0)[0] == pytest.approx(0.1)
