"""Both cuts of "unknown" are fitted together, and neighbours that bring nothing are left out."""

from __future__ import annotations

import numpy as np
import pytest

from convert.measure.foreign_images import make_empty_scene, make_foreign, scramble
from convert.measure.neighbours import Scores, count_refusable, fit_cuts


def scores(best: np.ndarray, similarities: np.ndarray, label: int = 0) -> Scores:
    top = np.asarray(best, np.float32)
    labels = np.full(len(top), label)
    return Scores(np.stack([top, 1 - top], axis=1), np.asarray(similarities, np.float32), labels)


OWN = scores(np.linspace(0.9, 1.0, 400), np.roll(np.linspace(0.9, 1.0, 400), 150))


def test_what_only_the_neighbours_see_is_refused_by_them() -> None:
    sure_but_strange = scores(np.full(50, 0.99), np.full(50, 0.5), label=-1)
    fit = fit_cuts(OWN, [sure_but_strange], 0.9, 0.92)
    assert fit.cut > 0.5 and sure_but_strange.accept(fit.threshold, fit.cut).num_unlike == 50
    assert fit.validation.coverage >= 0.92 and fit.wanted_acceptance == 0.92


def test_neighbours_that_bring_nothing_are_left_out() -> None:
    unsure_but_near = scores(np.full(50, 0.6), np.full(50, 0.99), label=-1)
    fit = fit_cuts(OWN, [unsure_but_near], 0.9, 0.92)
    assert fit.cut == -1.0 and unsure_but_near.accept(fit.threshold, fit.cut).num_accepted == 0


def test_precision_comes_before_acceptance() -> None:
    labels = np.array([0] * 300 + [1] * 100)
    best = np.concatenate([np.linspace(0.8, 1.0, 300), np.linspace(0.5, 0.8, 100)]).astype(np.float32)
    own = Scores(np.stack([best, 1 - best], axis=1), np.ones(400, np.float32), labels)
    fit = fit_cuts(own, [], 0.95, 0.92)
    assert fit.reached and fit.validation.coverage < 0.92
    assert fit.validation.precision is not None and fit.validation.precision >= 0.95


def test_a_given_threshold_stays() -> None:
    strange = scores(np.full(50, 0.99), np.full(50, 0.5), label=-1)
    fit = fit_cuts(OWN, [strange], 0.9, 0.92, given=0.3)
    assert fit.threshold == 0.3 and fit.cut > 0.5


@pytest.mark.parametrize(("num_images", "most"), [(400, 26), (100, 5), (18, 0)])
def test_few_images_are_refused_with_care(num_images: int, most: int) -> None:
    assert count_refusable(num_images, 0.92) == most


def test_few_validation_images_are_believed_by_their_scores_not_by_their_number() -> None:
    few = scores(np.linspace(0.55, 0.99, 18), np.ones(18))
    fit = fit_cuts(few, [], 0.9, 0.92)
    accepted = few.probabilities.max(axis=1)[few.probabilities.max(axis=1) >= fit.threshold]
    assert fit.reached and accepted.mean() >= 0.9 > 0.85 > fit.threshold, "all are right, but sure of 0.77 only"
    many = scores(np.linspace(0.55, 0.99, 180), np.ones(180))
    assert fit_cuts(many, [], 0.9, 1.0).threshold < 0.56


def test_few_validation_images_that_are_never_sure_enough_are_counted() -> None:
    few = scores(np.linspace(0.55, 0.8, 18), np.ones(18))
    assert not fit_cuts(few, [], 0.95, 0.92).reached
    wrong = scores(np.linspace(0.9, 0.99, 18), np.ones(18), label=1)
    assert not fit_cuts(wrong, [], 0.9, 0.92).reached


def test_scrambled_tiles_are_those_of_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 45, 3), np.uint8)
    found = scramble(image, np.random.default_rng(1))
    assert found.shape == image.shape and not np.array_equal(found, image)
    np.testing.assert_array_equal(np.sort(found, axis=None), np.sort(image, axis=None))
    tiny = image[:2, :2]
    np.testing.assert_array_equal(scramble(tiny, np.random.default_rng(1)), tiny)


def test_the_same_seed_gives_the_same_foreign_images_and_another_others() -> None:
    one, again, other = (make_foreign([], ["car park", "lawn"], seed) for seed in (0, 0, 1))
    assert list(one) == ["empty scenes", "scrambled images of the classes", "enlarged small photos (CIFAR-10)"]
    name = "empty scenes"
    assert all(np.array_equal(a, b) for a, b in zip(one[name], again[name], strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one[name], other[name], strict=True))
    assert make_empty_scene(np.random.default_rng(0), 1).shape == (240, 320, 3)


def test_photos_of_its_own_classes_are_not_foreign() -> None:
    assert "enlarged small photos (CIFAR-10)" not in make_foreign([], ["truck", "lawn"], 0)
