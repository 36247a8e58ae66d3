"""Do the labels fit far better in another order? Looks only at the confusion matrix.

A label file whose order differs from that of the outputs makes a good model look useless, and nothing else shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.metrics import wilson_interval

# Even if a model only guesses, the best order fits a little better than the given one. So this share of the answers
# must be right in it, this share more than in the given one, and more than chance explains with this confidence.
LEAST_ACCURACY, LEAST_GAIN, CONFIDENCE = 0.5, 0.3, 0.999
# From this accuracy on, no other order can be far better.
GOOD_ACCURACY = 0.9


@dataclass(frozen=True)
class LabelOrder:
    """``labels`` in the order that fits; how many of ``num_images`` answers are right in the given order and in it."""

    labels: tuple[str, ...]
    num_correct: int
    num_correct_reordered: int
    num_images: int


def find_better_order(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> LabelOrder | None:
    """The order in which most answers of a confusion matrix (rows: truth, columns: answer) are right; None unless it
    is far better than the given one.
    """
    counts = np.asarray(confusion, np.int64)
    num, correct = int(counts.sum()), int(np.trace(counts))
    if correct >= GOOD_ACCURACY * num:
        return None
    outputs = assign(counts)
    reordered = int(counts[np.arange(len(counts)), outputs].sum())
    if reordered < max(LEAST_ACCURACY * num, correct + LEAST_GAIN * num):
        return None
    if wilson_interval(reordered, num, CONFIDENCE)[0] <= wilson_interval(correct, num, CONFIDENCE)[1]:
        return None
    order = [""] * len(labels)
    for truth, output in enumerate(outputs.tolist()):
        order[output] = labels[truth]
    return LabelOrder(tuple(order), correct, reordered, num)


def assign(gains: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) int64: the column for each row of (n, n) int64 ``gains``, each column used once, that gives the largest sum;
    among equal sums, the one that leaves most rows at their own column.

    The Hungarian method with potentials, in n^3 steps.
    """
    num = len(gains)
    costs = -(gains * (num + 1) + np.eye(num, dtype=np.int64)).astype(np.float64)
    row_of = np.full(num + 1, -1)  # the extra last column holds the row that is being placed
    rows, columns = np.zeros(num), np.zeros(num + 1)
    for row in range(num):
        row_of[num], column = row, num
        nearest, before = np.full(num, np.inf), np.full(num, num)
        seen = np.zeros(num + 1, bool)
        while row_of[column] >= 0:
            seen[column] = True
            reduced = costs[row_of[column]] - rows[row_of[column]] - columns[:num]
            closer = ~seen[:num] & (reduced < nearest)
            nearest[closer], before[closer] = reduced[closer], column
            free = np.flatnonzero(~seen[:num])
            following = int(free[nearest[free].argmin()])
            step = nearest[following]
            visited = np.flatnonzero(seen)
            rows[row_of[visited]] += step
            columns[visited] -= step
            nearest[free] -= step
            column = following
        while column != num:
            row_of[column] = row_of[before[column]]
            column = int(before[column])
    result = np.empty(num, np.int64)
    result[row_of[:num]] = np.arange(num)
    return result
