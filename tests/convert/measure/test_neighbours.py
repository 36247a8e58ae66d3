"""Both cuts of "unknown" are fitted together, half of the budget each, and neighbours that bring nothing are left out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.inputs.source import make_entry
from convert.measure.foreign_images import (
    _read_shipped_photos,
    cut_close_up,
    make_empty_scene,
    make_foreign,
    make_never_shown,
    scramble,
    warp,
)
from convert.measure.neighbours import Scores, count_refusable, find_centres, fit_cuts
from edge_runtime.contract import Neighbours
from edge_runtime.inference.neighbours import NeighbourTable
from edge_runtime.metrics import wilson_interval


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


def test_each_signal_refuses_half_whatever_the_foreign_images_are() -> None:
    sure_but_strange = scores(np.full(50, 0.99), np.full(50, 0.5), label=-1)
    unsure_but_near = scores(np.full(50, 0.6), np.full(50, 0.99), label=-1)
    fits = [fit_cuts(OWN, foreign, 0.9, 0.92) for foreign in ([sure_but_strange], [sure_but_strange, unsure_but_near])]
    assert fits[0] == fits[1]
    assert (fits[0].validation.num_unlike, fits[0].validation.num_not_sure) == (13, 13)


def test_a_few_images_have_neighbours_too_and_lose_none_to_them() -> None:
    few = scores(np.linspace(0.9, 1.0, 18), np.linspace(0.8, 1.0, 18))
    strange = scores(np.full(50, 0.99), np.full(50, 0.79), label=-1)
    fit = fit_cuts(few, [strange], 0.9, 0.92)
    assert fit.cut == pytest.approx(0.8) and fit.validation.num_unlike == 0
    assert strange.accept(fit.threshold, fit.cut).num_unlike == 50


def mistaken(num_right: int, num_wrong: int) -> Scores:
    """Right answers of a probability from 0.8 to 1, wrong ones from 0.5 to 0.8."""
    best = np.concatenate([np.linspace(0.8, 1.0, num_right), np.linspace(0.5, 0.8, num_wrong)])
    found = scores(best, np.ones(len(best)))
    return Scores(found.probabilities, found.similarities, np.array([0] * num_right + [1] * num_wrong))


def test_images_are_not_refused_for_a_precision_that_may_be_there() -> None:
    own = mistaken(375, 25)
    fit = fit_cuts(own, [], 0.95, 0.98)
    assert fit.validation.coverage >= 0.98 and not fit.reached
    assert fit.stricter is not None and fit.stricter.threshold > fit.threshold
    assert fit.stricter.num_correct / (fit.stricter.num_accepted + 1) >= 0.95
    assert fit.stricter.coverage < fit.validation.coverage


def test_answers_that_are_surely_wrong_too_often_are_refused_beyond_the_wanted_acceptance() -> None:
    fit = fit_cuts(mistaken(300, 100), [], 0.95, 0.92)
    passing = fit.validation
    assert passing.coverage < 0.85 and passing.num_correct == 300
    assert wilson_interval(300, passing.num_accepted)[1] >= 0.95 > wilson_interval(300, passing.num_accepted + 1)[1]


def test_a_precision_that_costs_nothing_is_reached() -> None:
    fit = fit_cuts(mistaken(396, 4), [], 0.95, 0.92)
    assert fit.reached and fit.stricter is None and fit.validation.coverage >= 0.92


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


def test_a_close_up_is_a_part_and_a_warped_image_has_its_colours_elsewhere() -> None:
    random = np.random.default_rng(2)
    image = np.zeros((100, 150, 3), np.uint8)
    image[:, :75, 2], image[:, 75:, 0] = 200, 100
    part, warped = cut_close_up(image, random), warp(image, random)
    assert part.shape == (240, 240, 3) and warped.shape == image.shape
    assert set(np.unique(warped[..., 2])) <= set(range(201)) and not np.array_equal(warped, image)
    assert abs(float(warped.mean()) - float(image.mean())) < 20, "the colours stay"
    tiny = np.full((1, 2, 3), 7, np.uint8)
    assert (cut_close_up(tiny, random) == 7).all() and (warp(tiny, random) == 7).all()


def test_what_judges_the_neighbours_is_made_of_the_classes_images(tmp_path: Path) -> None:
    entries = []
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (500, 400, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), pixels)
        entries.append(make_entry(tmp_path / f"{number}.png", tmp_path, 0))
    one, again, other = (make_never_shown(entries, seed) for seed in (0, 0, 1))
    assert {name: len(images) for name, images in one.items()} == {
        "close-ups of the classes": 3,
        "warped images of the classes": 3,
    }
    for name, images in one.items():
        assert all(min(image.shape[:2]) == 240 for image in images)
        assert all(np.array_equal(a, b) for a, b in zip(images, again[name], strict=True))
        assert not any(np.array_equal(a, b) for a, b in zip(images, other[name], strict=True))


def test_the_same_seed_gives_the_same_foreign_images_and_another_others() -> None:
    one, again, other = (make_foreign([], ["car park", "lawn"], seed) for seed in (0, 0, 1))
    assert list(one) == ["empty scenes", "scrambled images of the classes", "enlarged small photos (CIFAR-10)"]
    name = "empty scenes"
    assert all(np.array_equal(a, b) for a, b in zip(one[name], again[name], strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one[name], other[name], strict=True))
    assert make_empty_scene(np.random.default_rng(0), 1).shape == (240, 320, 3)


def test_photos_of_its_own_classes_are_not_foreign() -> None:
    everything = list(_read_shipped_photos(["lawn"]))
    others = list(_read_shipped_photos(["truck", "lawn"]))
    assert 0 < len(others) < len(everything) == 48
    known = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    assert "enlarged small photos (CIFAR-10)" not in make_foreign([], known, 0)


def make_features(direction: list[float], num: int, random: np.random.Generator) -> np.ndarray:
    """(num, 4) int8 around a direction, 0 at -128 as after a ReLU; what is 0 in the direction is 0 in all."""
    lengths = random.uniform(0.5, 1, (num, 1))
    found = np.array(direction) * (200 * lengths + random.normal(0, 8, (num, len(direction))))
    return (found - 128).round().clip(-128, 127).astype(np.int8)


def test_each_class_has_up_to_three_centres_where_its_images_lie() -> None:
    random = np.random.default_rng(0)
    things = [[1.0, 0, 0, 0.2], [0, 1.0, 0, 0.2], [0, 0, 1.0, 0.2]]
    several = np.concatenate([make_features(thing, 20, random) for thing in things])
    features = np.concatenate([several[random.permutation(60)], make_features([0, 0, 0, 1.0], 5, random)])
    labels = np.array([0] * 60 + [1] * 5)
    rows = find_centres(features, labels, -128)
    assert rows.shape == (4, 4) and rows.dtype == np.int8
    assert (rows.max(axis=1) == 127).all(), "as long as int8 allows: the fewest rounding errors"
    table = NeighbourTable(Neighbours(0, -128, 4, len(rows), 1, -1.0), rows)
    assert min(table.similarity(one) for one in features) > 0.97
    assert table.similarity((np.array([1.0, 1.0, 1.0, 0.0]) * 100 - 128).astype(np.int8)) < 0.7


def test_centres_of_signed_features_keep_their_direction_and_nothing_overflows() -> None:
    random = np.random.default_rng(1)
    features = (np.array([[90, -100, 5]]) + random.integers(-5, 6, (4, 3)) + 20).clip(-128, 127).astype(np.int8)
    rows = find_centres(features, np.zeros(4, np.int64), 20)
    table = NeighbourTable(Neighbours(0, 20, 3, 1, 1, -1.0), rows)
    assert rows.shape == (1, 3) and min(table.similarity(one) for one in features) > 0.99
    assert find_centres(np.full((3, 2), 7, np.int8), np.zeros(3, np.int64), 7).tolist() == [[7, 7]], "all zero"
