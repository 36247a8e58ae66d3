"""The last layer alone, fitted on features of the frozen network: seconds, and already a usable model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.training.temperature import softmax
from train.transfer.scaled_adam import BETA_1, BETA_2, TINY

# A feature that hardly varies must not get a weight that 8 bits cannot hold beside the others.
SMALLEST_DEVIATION = 0.1
PENALTIES = (1e-4, 1e-3, 3e-3, 1e-2)
NUM_STEPS = 400
RATE = 0.003

Array = NDArray[np.float32]
# (features (n, f), targets (n, classes), weights (n,)): images stay on disk, a batch at a time is in memory.
FeatureBatch = tuple[Array, Array, Array]
Batches = Callable[[int], Iterator[FeatureBatch]]


@dataclass(frozen=True)
class Head:
    """``kernel`` (features, classes) and ``bias`` (classes,) float32 of a Dense layer that gives logits."""

    kernel: Array
    bias: Array

    def logits(self, features: Array) -> Array:
        """(n, features) float32 -> (n, classes) float32."""
        return features @ self.kernel + self.bias


def fit_heads(batches: Batches, num_classes: int) -> list[Head]:
    """One head for each strength of weight decay (``PENALTIES``), in that order.

    ``batches(num)`` gives ``num`` batches, the same each time it is called.
    """
    mean, deviation = _moments(batches(NUM_STEPS // 4))
    return _fit_all(batches(NUM_STEPS), mean, deviation, num_classes)


def _moments(batches: Iterator[FeatureBatch]) -> tuple[Array, Array]:
    num, total, squares = 0, np.zeros(1), np.zeros(1)
    for features, _, _ in batches:
        num += len(features)
        total = total + features.sum(axis=0, dtype=np.float64)
        squares = squares + np.square(features, dtype=np.float64).sum(axis=0)
    mean = total / num
    deviation = np.sqrt(np.maximum(squares / num - mean**2, SMALLEST_DEVIATION**2))
    return mean.astype(np.float32), deviation.astype(np.float32)


def _fit_all(batches: Iterator[FeatureBatch], mean: Array, deviation: Array, num_classes: int) -> list[Head]:
    """One head per penalty, all from the same pass over the batches, by Adam (Kingma and Ba, 2015).

    In NumPy: compiling a step in TensorFlow takes longer than all steps of a small head, and heads are fitted two dozen
    times in a run.
    """
    kernels = np.zeros((len(PENALTIES), len(mean), num_classes), np.float32)
    biases = np.zeros((len(PENALTIES), 1, num_classes), np.float32)
    weights_of_all = (kernels, biases)
    first = [np.zeros_like(values) for values in weights_of_all]
    second = [np.zeros_like(values) for values in weights_of_all]
    doubled = 2 * np.array(PENALTIES, np.float32)[:, None, None]
    for number, (features, targets, weights) in enumerate(batches):
        scaled = (features - mean) / deviation
        # The heads share no weights: each has its own gradient, that of its weighted cross-entropy and its decay.
        error = (softmax(scaled @ kernels + biases).astype(np.float32) - targets) * (weights / len(weights))[:, None]
        gradients = (scaled.T @ error + doubled * kernels, error.sum(axis=1, keepdims=True))
        rate = RATE * (1 - number / NUM_STEPS) * math.sqrt(1 - BETA_2 ** (number + 1)) / (1 - BETA_1 ** (number + 1))
        for values, gradient, mean_of, square_of in zip(weights_of_all, gradients, first, second, strict=True):
            mean_of += (1 - BETA_1) * (gradient - mean_of)
            square_of += (1 - BETA_2) * (gradient * gradient - square_of)
            values -= np.float32(rate) * mean_of / (np.sqrt(square_of) + TINY)
    kernels /= deviation[None, :, None]
    return [Head(kernel, bias[0] - mean @ kernel) for kernel, bias in zip(kernels, biases, strict=True)]
