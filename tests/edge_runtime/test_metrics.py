"""Pins each measure with figures that can be checked by hand or in a textbook."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import DataError
from edge_runtime.metrics import (
    classification_report,
    confusion_matrix,
    mcnemar_p,
    paired_difference_interval,
    percentiles,
    wilson_interval,
)


def test_the_wilson_interval_is_newcombes_published_one():
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 and 1 of 29.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_none_and_all_correct_touch_the_ends_exactly():
    assert wilson_interval(0, 20)[0] == 0.0
    assert wilson_interval(20, 20)[1] == 1.0


@settings(derandomize=True)
@given(st.integers(1, 10_000).flatmap(lambda num: st.tuples(st.integers(0, num), st.just(num))))
def test_the_interval_holds_the_rate_and_narrows_with_less_confidence(case):
    correct, num = case
    low, high = wilson_interval(correct, num)
    assert 0 <= low <= correct / num <= high <= 1
    narrow_low, narrow_high = wilson_interval(correct, num, confidence=0.5)
    assert narrow_high - narrow_low < high - low


@pytest.mark.parametrize(("correct", "num"), [(3, 2), (-1, 2), (0, 0)])
def test_impossible_counts_are_refused(correct, num):
    with pytest.raises(DataError, match=f"There cannot be {correct} correct of {num} images; expected 0 to n"):
        wilson_interval(correct, num)


def test_rows_are_truth_and_columns_predictions():
    assert confusion_matrix([0, 0, 1, 2], [0, 1, 1, 0], 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_lists_of_different_length_are_refused():
    with pytest.raises(
        DataError, match=r"There are \(2,\) labels but \(1,\) predictions; expected two lists of one length"
    ):
        confusion_matrix([0, 1], [0], 2)


@pytest.mark.parametrize(("labels", "predicted", "span"), [([0, 2], [0, 1], "0 to 2"), ([0, 1], [-1, 1], "-1 to 1")])
def test_class_indices_outside_are_refused(labels, predicted, span):
    with pytest.raises(DataError, match=f"The class indices run from {span}, expected 0 to 1"):
        confusion_matrix(labels, predicted, 2)


def test_the_report_is_what_a_hand_computes():
    report = classification_report(np.array([[3, 1, 0], [1, 1, 0], [2, 0, 0]]), ("a", "b", "c"))
    assert report.accuracy == 0.5
    assert report.accuracy_interval == wilson_interval(4, 8)
    assert [(row.label, row.precision, row.recall, row.support) for row in report.per_class] == [
        ("a", 0.5, 0.75, 4),
        ("b", 0.5, 0.5, 2),
        ("c", 0.0, 0.0, 2),
    ]
    assert [row.f1 for row in report.per_class] == pytest.approx([0.6, 0.5, 0.0])
    assert (report.macro_precision, report.macro_recall) == pytest.approx((1 / 3, 1.25 / 3))
    assert report.macro_f1 == pytest.approx(1.1 / 3)
    assert report.confusion == ((3, 1, 0), (1, 1, 0), (2, 0, 0))


def test_a_matrix_that_does_not_fit_the_names_is_refused():
    with pytest.raises(DataError, match=r"The confusion matrix is \(2, 2\) but there are 3 class names"):
        classification_report(np.eye(2), ("a", "b", "c"))


def test_an_empty_matrix_is_refused():
    with pytest.raises(DataError, match="There cannot be 0 correct of 0 images"):
        classification_report(np.zeros((2, 2)), ("a", "b"))


def test_mcnemar_is_the_exact_binomial_test():
    assert mcnemar_p(0, 0) == 1.0
    assert mcnemar_p(5, 0) == mcnemar_p(0, 5) == 0.0625
    assert mcnemar_p(1, 5) == 0.21875
    assert mcnemar_p(4, 4) == 1.0
    assert 0 < mcnemar_p(2000, 3000) < 1e-20


def test_the_paired_interval_is_agresti_and_mins():
    # (10 - 4) of 100 with half a pair in each cell: 6 / 102, variance (10.5 + 4.5) / 102 - (6 / 102)^2 over 102.
    assert paired_difference_interval(10, 4, 100) == pytest.approx((-0.014716, 0.132363), abs=1e-6)
    low, high = paired_difference_interval(4, 10, 100)
    assert (-high, -low) == pytest.approx(paired_difference_interval(10, 4, 100))


def test_no_difference_still_leaves_a_width():
    low, high = paired_difference_interval(0, 0, 10)
    assert low == -high < 0


@pytest.mark.parametrize(("a", "b", "num"), [(2, 2, 3), (-1, 0, 3), (0, 0, 0)])
def test_more_differences_than_images_are_refused(a, b, num):
    with pytest.raises(DataError, match=rf"There cannot be {a} \+ {b} differing images of {num}"):
        paired_difference_interval(a, b, num)


def test_percentiles_are_linear_between_neighbours():
    assert percentiles([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx((3.0, 4.8, 4.96))
    assert percentiles(np.array([7.0]), (0, 100)) == (7.0, 7.0)


def test_percentiles_of_nothing_are_refused():
    with pytest.raises(DataError, match="There are no values to take percentiles of; expected at least 1"):
        percentiles([])
