"""The threshold keeps its promise on the images it was fitted on, at the highest coverage, and says when it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.inputs.source import ImageEntry
from convert.measure.gallery import choose_gallery
from convert.measure.threshold import LOWEST, apply_threshold, fit_threshold, relax_threshold, trace_coverage
from convert.measure.unknown import explain_unreached
from edge_runtime.errors import DataError


def scored(best: list[float], right: list[bool]) -> tuple[np.ndarray, list[int]]:
    """Three-class probabilities whose best class is 0 with these probabilities; labels 0 where right, else 1."""
    top = np.array(best, np.float32)
    return np.stack([top, (1 - top) * 0.6, (1 - top) * 0.4], axis=1), [0 if hit else 1 for hit in right]


def test_the_lowest_threshold_that_reaches_the_precision_is_taken() -> None:
    best = [0.55] * 10 + [0.7] * 10 + [0.9] * 40
    right = [False] * 10 + [True] * 5 + [False] * 5 + [True] * 40
    fit = fit_threshold(*scored(best, right), wanted=0.95)
    assert 0.7 < fit.threshold < 0.9
    assert fit.threshold == pytest.approx(0.8)
    assert (fit.reached, fit.validation.num_accepted, fit.validation.num_correct) == (True, 40, 40)
    # One more mistake is assumed: 45 of 51 is enough for 88 %, not for 89 %.
    assert fit_threshold(*scored(best, right), wanted=0.88).threshold < 0.7
    assert fit_threshold(*scored(best, right), wanted=0.89).threshold > 0.7


def test_a_model_that_is_good_enough_still_calls_the_less_than_likely_unknown() -> None:
    fit = fit_threshold(*scored([0.4] + [0.99] * 60, [True] * 61), wanted=0.95)
    assert fit.threshold == LOWEST
    assert fit.validation.num_accepted == 60


def test_a_precision_that_cannot_be_had_gives_the_closest_and_says_so() -> None:
    best = [0.6] * 20 + [0.9] * 20
    right = [False] * 20 + [True, False] * 10
    fit = fit_threshold(*scored(best, right), wanted=0.95)
    assert not fit.reached
    assert 0.6 < fit.threshold < 0.9


def test_a_handful_of_sure_answers_is_no_ground_for_a_threshold() -> None:
    best = [0.6] * 97 + [0.99] * 3
    right = [True, False] * 48 + [True] + [True] * 3
    fit = fit_threshold(*scored(best, right), wanted=0.7)
    assert (fit.reached, fit.validation.coverage) == (False, 1.0)


def test_scores_without_labels_are_refused() -> None:
    with pytest.raises(DataError, match=r"There are 1 scores for 2 labels; expected one row per label"):
        fit_threshold(np.ones((1, 3), np.float32), [0, 1], 0.95)


def test_images_of_no_class_are_never_right() -> None:
    probabilities, _ = scored([0.9, 0.4], [True, True])
    found = apply_threshold(probabilities, [-1, -1], 0.5)
    assert (found.num_accepted, found.num_correct, found.coverage, found.precision) == (1, 0, 0.5, 0.0)
    assert apply_threshold(probabilities, [-1, -1], 0.95).precision is None


def test_the_curve_falls_from_all_to_few_answers() -> None:
    rng = np.random.default_rng(0)
    best = rng.uniform(0.34, 1, 500).tolist()
    curve = trace_coverage(*scored(best, (rng.random(500) < best).tolist()))
    coverages = [point.coverage for point in curve]
    assert coverages[0] == 1 and coverages == sorted(coverages, reverse=True) and coverages[-1] > 0
    assert (curve[-1].precision or 0) > (curve[0].precision or 0)


def entries(labels: list[int]) -> list[ImageEntry]:
    return [ImageEntry(f"p{i}<", label, Path("x"), None, "") for i, label in enumerate(labels)]


def test_the_gallery_has_the_surest_mistakes_and_the_least_sure_answers() -> None:
    probabilities, labels = scored([0.9, 0.6, 0.99, 0.4], [False, False, True, True])
    found = choose_gallery(probabilities, entries(labels), ("cup", "pen", "toy"))
    assert [item.image for item in found.mistakes] == ["p0<", "p1<"]
    assert [item.image for item in found.least_sure] == ["p3<", "p1<", "p0<", "p2<"]
    assert (found.mistakes[0].truth, found.mistakes[0].label, found.num_mistakes) == ("pen", "cup", 2)


def test_why_the_precision_is_not_reached_is_said_too_few_images_or_too_many_mistakes() -> None:
    few = fit_threshold(np.tile(np.array([[0.9, 0.1]], np.float32), (12, 1)), [0] * 12, 0.95)
    assert explain_unreached(few, 0.95) == (
        "12 of 12 answers on the validation images are right, which is too few to promise 95%: at least 19 right ones "
        f"are needed. Give more images; until then, the threshold is {few.threshold:.3f}."
    )
    wrong = fit_threshold(np.tile(np.array([[0.9, 0.1]], np.float32), (40, 1)), [0, 1] * 20, 0.95)
    assert explain_unreached(wrong, 0.95).startswith("no threshold gives a precision of 95% on the validation images")


def test_a_precision_that_would_refuse_too_many_says_what_it_would_take() -> None:
    best, right = [0.6] * 5 + [0.7] * 15 + [0.9] * 180, [True] * 5 + [False] * 12 + [True] * 183
    probabilities, labels = scored(best, right)
    fit = relax_threshold(fit_threshold(probabilities, labels, 0.95), probabilities, labels, 0.4)
    assert (fit.threshold, fit.validation.num_accepted, fit.reached) == (LOWEST, 200, False)
    assert explain_unreached(fit, 0.95) == (
        "188 of the 200 answers that pass on the validation images are right, expected 95%. That would take a threshold "
        "of 0.800, with which 90.0% of the images pass instead of 100.0%: give --threshold 0.800 where being right "
        "matters more."
    )


def test_a_hopeless_model_is_not_saved_by_a_handful_of_answers() -> None:
    probabilities, labels = scored(np.linspace(0.5, 1, 200).tolist(), [False] * 195 + [True] * 5)
    counted = fit_threshold(probabilities, labels, 0.95)
    assert relax_threshold(counted, probabilities, labels, 0.4) == counted
