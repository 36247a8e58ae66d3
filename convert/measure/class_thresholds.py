"""Thresholds for single classes: a class whose accepted answers are clearly wrong too often gets a higher one.

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

# A threshold that leaves fewer of a class's answers keeps its promise on a handful of images only.
LEAST_ACCEPTED = 10


def fit_class_thresholds(own: Scores, fit: ThresholdFit, labels: Sequence[str]) -> dict[str, float]:
    """For each label that needs one, the lowest threshold above the common one that gives the wanted precision.

    A label needs one if its answers on ``own``, the images of the classes, are significantly less often right than
    wanted, and gets the lowest at which they no longer are (intervals that hold for all classes together at 95 %).
    Labels that no threshold helps are left out.
    """
    best, answers = own.probabilities.max(axis=1), own.probabilities.argmax(axis=1)
    passes = (own.similarities >= fit.cut) & (best >= fit.threshold)
    # Among many classes one looks bad by chance: all together are wrongly raised as rarely as a single one.
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
    """(classes,) the lowest score with which an answer of each class is accepted, in [0, 1]."""
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
