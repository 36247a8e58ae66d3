"""The last layer alone, fitted on features of the frozen network: seconds, and already a usable model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

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
    """One head per penalty, all from the same pass over the batches."""
    kernels = tf.Variable(tf.zeros((len(PENALTIES), len(mean), num_classes)))
    biases = tf.Variable(tf.zeros((len(PENALTIES), 1, num_classes)))
    penalties = tf.constant(PENALTIES)
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build([kernels, biases])

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def step(features: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor, rate: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            logits = tf.einsum("nf,pfc->pnc", (features - mean) / deviation, kernels) + biases
            fits = tf.nn.softmax_cross_entropy_with_logits(tf.broadcast_to(targets, tf.shape(logits)), logits)
            decay = penalties * tf.reduce_sum(kernels * kernels, axis=(1, 2))
            # The heads share no weights, so the gradient of the sum gives each head its own.
            loss = tf.reduce_sum(tf.reduce_mean(fits * weights, axis=1) + decay)
        optimizer.learning_rate.assign(rate)
        optimizer.apply_gradients(zip(tape.gradient(loss, [kernels, biases]), [kernels, biases], strict=True))

    for number, (features, targets, weights) in enumerate(batches):
        rate = tf.constant(RATE * (1 - number / NUM_STEPS), tf.float32)
        step(tf.constant(features), tf.constant(targets), tf.constant(weights), rate)
    scaled = kernels.numpy() / deviation[None, :, None]
    return [Head(kernel, bias[0] - mean @ kernel) for kernel, bias in zip(scaled, biases.numpy(), strict=True)]
