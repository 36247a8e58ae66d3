"""Accuracy and related metrics, defined once for training, conversion and the device.

NumPy and the standard library only. Every interval is a 95 % interval unless stated otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import DataError


@dataclass(frozen=True)
class ClassMetrics:
    """One class: precision, recall and F1 in [0, 1], 0 where undefined; ``support`` is its number of true images."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ClassificationReport:
    """What a confusion matrix (rows = truth, columns = prediction) shows; all rates in [0, 1]."""

    accuracy: float
    accuracy_interval: tuple[float, float]
    per_class: tuple[ClassMetrics, ...]
    macro_precision: float
    macro_recall: float
    macro_f1: float
    confusion: tuple[tuple[int, ...], ...]


def wilson_interval(num_correct: int, num: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval (low, high) of a rate of ``num_correct`` out of ``num``.

    Raises:
        DataError: ``num`` is below 1 or ``num_correct`` is not within it.
    """
    if not 0 <= num_correct <= num or num < 1:
        raise DataError(f"There cannot be {num_correct} correct of {num} images; expected 0 to n of at least 1.")
    z = _z(confidence)
    rate, z2 = num_correct / num, z * z
    centre = (rate + z2 / (2 * num)) / (1 + z2 / num)
    half = z * math.sqrt(rate * (1 - rate) / num + z2 / (4 * num * num)) / (1 + z2 / num)
    # For 0 of n and n of n the exact ends are 0 and 1; rounding must not change them.
    return (0.0 if num_correct == 0 else centre - half), (1.0 if num_correct == num else centre + half)


def confusion_matrix(
    labels: Sequence[int] | NDArray[Any], predicted: Sequence[int] | NDArray[Any], num_classes: int
) -> NDArray[np.int64]:
    """(num_classes, num_classes) int64 counts: row = true class index, column = predicted class index.

    Raises:
        DataError: the two lists differ in length or contain an index outside 0 .. num_classes - 1.
    """
    truth, answer = np.asarray(labels, np.int64), np.asarray(predicted, np.int64)
    if truth.shape != answer.shape or truth.ndim != 1:
        raise DataError(
            f"There are {truth.shape} labels but {answer.shape} predictions; expected two lists of one length."
        )
    if truth.size and not (min(truth.min(), answer.min()) >= 0 and max(truth.max(), answer.max()) < num_classes):
        low, high = min(truth.min(), answer.min()), max(truth.max(), answer.max())
        raise DataError(f"The class indices run from {low} to {high}, expected 0 to {num_classes - 1}.")
    counts = np.bincount(truth * num_classes + answer, minlength=num_classes * num_classes)
    return counts.reshape(num_classes, num_classes).astype(np.int64)


def classification_report(confusion: NDArray[Any], class_names: Sequence[str]) -> ClassificationReport:
    """Accuracy with its Wilson interval, and precision, recall and F1 per class and macro, of a `confusion_matrix`.

    Raises:
        DataError: the matrix is not square with one row per class name, or is all zero.
    """
    counts = np.asarray(confusion, np.int64)
    if counts.shape != (len(class_names), len(class_names)):
        raise DataError(f"The confusion matrix is {counts.shape} but there are {len(class_names)} class names.")
    hits = counts.diagonal()
    precision, recall = _ratio(hits, counts.sum(axis=0)), _ratio(hits, counts.sum(axis=1))
    f1 = _ratio(2 * hits, counts.sum(axis=0) + counts.sum(axis=1))
    correct, total = int(hits.sum()), int(counts.sum())
    rows = zip(class_names, precision.tolist(), recall.tolist(), f1.tolist(), counts.sum(axis=1).tolist(), strict=True)
    return ClassificationReport(
        accuracy_interval=wilson_interval(correct, total),
        accuracy=correct / total,
        per_class=tuple(ClassMetrics(*row) for row in rows),
        macro_precision=float(precision.mean()),
        macro_recall=float(recall.mean()),
        macro_f1=float(f1.mean()),
        confusion=tuple(tuple(row) for row in counts.tolist()),
    )


def mcnemar_p(only_a_right: int, only_b_right: int) -> float:
    """The exact two-sided McNemar p: how likely such an uneven split is if A and B are equally good; 1 if they never
    differ.
    """
    num = only_a_right + only_b_right
    tail = sum(math.comb(num, k) for k in range(min(only_a_right, only_b_right) + 1))
    return min(1.0, float(Fraction(2 * tail, 2**num)))


def paired_difference_interval(only_a_right: int, only_b_right: int, num: int) -> tuple[float, float]:
    """The 95 % interval (low, high) of accuracy(A) - accuracy(B), both scored on the same ``num`` images.

    Agresti and Min, Statistics in Medicine 24 (2005): Wald's interval after adding half a pair to each of four cells.

    Raises:
        DataError: there are more differing images than images.
    """
    if min(only_a_right, only_b_right) < 0 or only_a_right + only_b_right > num or num < 1:
        raise DataError(f"There cannot be {only_a_right} + {only_b_right} differing images of {num}.")
    a, b, total = only_a_right + 0.5, only_b_right + 0.5, num + 2.0
    difference = (a - b) / total
    half = _z(0.95) * math.sqrt((a + b) / total - difference**2) / math.sqrt(total)
    return max(-1.0, difference - half), min(1.0, difference + half)


def calibration_error(probabilities: NDArray[Any], labels: Sequence[int] | NDArray[Any], num_bins: int = 15) -> float:
    """How far the best class's probability is from how often it is correct, in [0, 1], averaged over equal-sized bins.

    ``probabilities`` is (n, classes). All bins hold the same number of images (Nguyen and O'Connor, 2015), so none is
    almost empty.

    Raises:
        DataError: there are no images, or not one label per image.
    """
    scores = np.asarray(probabilities, np.float64)
    truth = np.asarray(labels, np.int64)
    if scores.ndim != 2 or len(scores) != len(truth) or not len(truth):
        raise DataError(f"The probabilities are {scores.shape} for {len(truth)} labels; expected one row per label.")
    best = scores.max(axis=1)
    right = scores.argmax(axis=1) == truth
    bins = np.array_split(np.argsort(best, kind="stable"), min(num_bins, len(truth)))
    return float(sum(abs(best[rows].mean() - right[rows].mean()) * len(rows) for rows in bins) / len(truth))


def percentiles(values: Sequence[float] | NDArray[Any], ranks: Sequence[float] = (50, 95, 99)) -> tuple[float, ...]:
    """The percentiles of ``values`` (any unit) at ``ranks`` (0 .. 100), with linear interpolation.

    Raises:
        DataError: there are no values.
    """
    if len(values) == 0:
        raise DataError("There are no values to take percentiles of; expected at least 1.")
    return tuple(float(value) for value in np.percentile(np.asarray(values, np.float64), list(ranks)))


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
