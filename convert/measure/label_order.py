"""Do the labels fit far better in another order? Looks at the confusion matrix alone.

A label file in another order than the model's outputs makes a good model look useless, and nothing else shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.metrics import wilson_interval

# The best order of guesses is always a little better than the given one: in the other order at least so many answers
# must be right, so many more, and beyond what chance explains.
LEAST_ACCURACY, LEAST_GAIN, CONFIDENCE = 0.5, 0.3, 0.999
# Nor can another order be far better than this.
GOOD_ACCURACY = 0.9


@dataclass(frozen=True)
class LabelOrder:
    """``labels`` in the order that fits, and how many of ``num_images`` answers are right as it is and in that one."""

    labels: tuple[str, ...]
    num_correct: int
    num_correct_reordered: int
    num_images: int


def find_better_order(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> LabelOrder | None:
    """The order in which most answers of a confusion matrix (rows: truth, columns: answer) are right; None unless that
    is far better.
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
    """(n,) int64: the column of each row of (n, n) int64 ``gains``, each column once, with the largest sum; of equal
    sums the one that leaves most rows at their own column.

    The Hungarian method with potentials, in n^3 steps.
    """
    num = len(gains)
    costs = -(gains * (num + 1) + np.eye(num, dtype=np.int64)).astype(np.float64)
    row_of = np.full(num + 1, -1)  # the last column is where the row to be placed waits
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
