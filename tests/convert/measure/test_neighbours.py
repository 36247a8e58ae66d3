"""Both cuts of "unknown" are fitted together, and neighbours that bring nothing are left out."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from convert.measure.foreign_images import make_empty_scene, make_foreign, scramble
from convert.measure.neighbours import Scores, count_refusable, fit_cuts
from convert.measure.unknown import read_cross_validated


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


def test_a_few_validation_images_are_backed_by_cross_validated_ones() -> None:
    few = scores(np.linspace(0.55, 0.99, 18), np.ones(18))
    alone = fit_cuts(few, [], 0.95, 0.92)
    assert not alone.reached and alone.threshold < 0.6, "18 right answers promise no 95 %"
    best = np.concatenate([np.linspace(0.5, 0.7, 40), np.linspace(0.7, 1.0, 140)]).astype(np.float32)
    right = np.arange(180) >= 30
    more = Scores(best[:, None], np.ones(180, np.float32), np.where(right, 0, -1))
    backed = fit_cuts(few, [], 0.95, 0.92, more=more)
    assert backed.reached and 0.6 < backed.threshold < 0.7
    assert backed.validation.num_images == 18 and 10 < backed.validation.num_accepted < 18


@pytest.mark.parametrize(
    "metrics", [{}, {"cross_validated": 3}, {"cross_validated": {"score": []}}, {"cross_validated": {"score": [1.0]}}]
)
def test_a_run_without_cross_validated_scores_has_none(metrics: dict[str, object]) -> None:
    source = SimpleNamespace(training={"metrics": metrics})
    assert read_cross_validated(source) is None  # type: ignore[arg-type]


def test_cross_validated_scores_are_read_as_right_or_wrong() -> None:
    source = SimpleNamespace(training={"metrics": {"cross_validated": {"score": [0.9, 0.4], "right": [True, False]}}})
    found = read_cross_validated(source)  # type: ignore[arg-type]
    assert found is not None and found.accept(0.3, -1.0).num_correct == 1 and found.accept(0.5, -1.0).precision == 1.0


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
