"""Thresholds of single classes: a class whose accepted answers are surely wrong too often needs a higher one.

None is lowered: the common threshold also keeps out what belongs to no class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from convert.measure.neighbours import Scores
from convert.measure.threshold import ThresholdFit
from edge_runtime.metrics import wilson_interval

# So many of a class's answers must be left, or the threshold keeps its promise on a handful of images.
LEAST_ACCEPTED = 10


def fit_class_thresholds(own: Scores, fit: ThresholdFit, labels: Sequence[str]) -> dict[str, float]:
    """By label the lowest threshold above the common one with which this class's answers are not surely right less
    often than wanted on the ``own`` images (intervals that hold for all classes together with 95 %); only for classes
    that surely are, and can do better.
    """
    best, answers = own.probabilities.max(axis=1), own.probabilities.argmax(axis=1)
    passes = (own.similarities >= fit.cut) & (best >= fit.threshold)
    # Of many classes one looks bad by chance: all together shall be wrongly raised as rarely as a single one.
    confidence = 1 - 0.05 / len(labels)
    found = {}
    for index, label in enumerate(labels):
        scores = best[passes & (answers == index)]
        right = own.labels[passes & (answers == index)] == index
        if len(scores) == 0 or wilson_interval(int(right.sum()), len(scores), confidence)[1] >= fit.wanted:
            continue
        threshold = _find_lowest(scores, right, fit.wanted, confidence)
        if threshold is not None:
            found[label] = threshold
    return found


def list_lowest(labels: Sequence[str], threshold: float, class_thresholds: Mapping[str, float]) -> NDArray[np.float64]:
    """(classes,) what the best score of each class must reach, in [0, 1]."""
    return np.array([class_thresholds.get(label, threshold) for label in labels])


def _find_lowest(
    scores: NDArray[np.float32], right: NDArray[np.bool_], wanted: float, confidence: float
) -> float | None:
    for low, high in pairwise(np.unique(scores).tolist()):
        threshold = (low + high) / 2
        kept = right[scores >= threshold]
        if len(kept) < LEAST_ACCEPTED:
            return None
        if wilson_interval(int(kept.sum()), len(kept), confidence)[1] >= wanted:
            return float(threshold)
    return None
