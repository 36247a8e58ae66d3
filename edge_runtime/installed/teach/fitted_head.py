"""Fits the last layer to the features of a few photos, and says how well it recognises each photo when that is left
out.

It is ridge regression with one target per class: the solution is one small system of equations, and leaving photos out,
together with their mirror images, does not need another one (the block form of the PRESS residual; Allen, "The
relationship between variable selection and data augmentation and a method for prediction", 1974). The scores of the
left-out photos decide how strong the penalty is and how sharp the probabilities are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Relative to the squared length of a photo's features, which is 1 on average.
PENALTIES = (0.3, 1.0, 2.0, 4.0, 8.0)
SHARPNESSES = tuple(float(2.0**power) for power in np.arange(0.0, 6.01, 0.25))
# The bias is penalised like the weight of an extra feature that is as long as all others together.
BIAS_FEATURE = 1.0

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FittedHead:
    """``kernel`` (features, classes) and ``bias`` (classes,) give logits whose softmax is calibrated; ``left_out``
    (photos, classes) are each photo's probabilities from the head that was fitted without it.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    left_out: NDArray[np.float32]


def fit_head(features: NDArray[np.float32], labels: NDArray[np.int64], num_classes: int) -> FittedHead:
    """The head for (photos, views, width) real features of photos with class indices ``labels`` (photos,); the first
    view is what the device sees, and every class has at least one photo.
    """
    _, views, width = features.shape
    rows = features.reshape(-1, width).astype(np.float64)
    targets = np.eye(num_classes)[np.repeat(labels, views)]
    # Each class counts the same, however many photos it has.
    weights = len(targets) / num_classes / targets.sum(axis=0)[np.repeat(labels, views)]
    mean = np.average(rows, axis=0, weights=weights)
    centred = rows - mean
    scale = np.sqrt(np.square(centred).sum(axis=1).mean())
    centred /= scale
    products = centred @ centred.T + BIAS_FEATURE
    fits = []
    for penalty in PENALTIES:
        solved = np.linalg.inv(products + penalty * np.diag(1 / weights))
        hat = products @ solved
        left = _leave_out(hat, targets, labels, views)
        fits.append(
            max(((_likelihood(sharp * left, labels), sharp, solved, left) for sharp in SHARPNESSES), key=_first)
        )
    _, sharp, solved, left = max(fits, key=_first)
    dual = sharp * (solved @ targets)
    kernel = centred.T @ dual / scale
    bias = dual.sum(axis=0) * BIAS_FEATURE - mean @ kernel
    # Only differences between logits count, and small logits fit best into 8 bits.
    kernel, bias = kernel - kernel.mean(axis=1, keepdims=True), bias - bias.mean()
    return FittedHead(kernel.astype(np.float32), bias.astype(np.float32), softmax_rows(sharp * left).astype(np.float32))


def softmax_rows(logits: Array) -> Array:
    """The softmax of each row of (n, classes) logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _leave_out(hat: Array, targets: Array, labels: NDArray[np.int64], views: int) -> Array:
    """(photos, classes) scores of the first view of each photo when all its views are left out, together with one photo
    of every other class: if only one class were a photo short, it would look less likely than it is.
    """
    residuals = targets - hat @ targets
    rounds = np.concatenate([np.arange(num) for num in np.bincount(labels)])
    found = np.empty((len(labels), targets.shape[1]))
    for turn in range(rounds.max() + 1):
        photos = np.flatnonzero(rounds == turn)
        rows = (photos[:, None] * views + np.arange(views)).reshape(-1)
        errors = np.linalg.solve(np.eye(len(rows)) - hat[np.ix_(rows, rows)], residuals[rows])
        found[photos] = (targets[rows] - errors)[::views]
    return found


def _likelihood(logits: Array, labels: NDArray[np.int64]) -> float:
    """The mean log probability of each photo's own class."""
    shares = softmax_rows(logits)[np.arange(len(labels)), labels]
    return float(np.log(np.maximum(shares, 1e-12)).mean())


def _first(item: tuple[float, float, Array, Array]) -> float:
    return item[0]
