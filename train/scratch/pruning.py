"""Magnitude pruning: which weights are zero at which step, and the network that learns while they go."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from train.scratch.training_copy import clone_for_training
from train.training.logits import compile_forward

MASK_EVERY = 20  # steps


def compute_target_sparsity(step: int, num_steps: int, final: float) -> float:
    """The share of zeros after ``step``: a cubic rise from 0 to ``final`` in the first third of all steps."""
    share = min(1.0, (step + 1) / max(1, num_steps // 3))
    return final * (1 - (1 - share) ** 3)


def make_magnitude_mask(kernel: NDArray[np.float32], sparsity: float) -> NDArray[np.float32]:
    """1 where a weight stays and 0 for the share ``sparsity`` of smallest magnitude; the kernel's shape, float32."""
    num = round(kernel.size * sparsity)
    mask = np.ones(kernel.size, np.float32)
    mask[np.argsort(np.abs(kernel).ravel(), kind="stable")[:num]] = 0
    return mask.reshape(kernel.shape)


class PruningLearner:
    """A training copy of ``model`` in which the share of zeros rises to ``sparsity`` in [0, 1] over ``total_steps``."""

    def __init__(self, model: keras.Model, sparsity: float, steps_an_epoch: int, total_steps: int, rate: float) -> None:
        self.model, self.forward = model, compile_forward(model)
        self.sparsity, self.steps_an_epoch, self.total_steps = sparsity, steps_an_epoch, total_steps
        self.training = clone_for_training(model)
        # A depthwise kernel has another name in some versions and holds few weights; it stays whole.
        layers = [layer for layer in self.training.layers if type(layer).__name__ in ("Conv2D", "Dense")]
        self.kernels = [layer.kernel for layer in layers]
        self.masks = [tf.Variable(tf.ones(kernel.shape), trainable=False) for kernel in self.kernels]
        self.optimizer: Any = keras.optimizers.Adam(rate)
        self.optimizer.build(self.training.trainable_variables)
        self.num_steps = 0
        self._step: Any = tf.function(self._train_step, reduce_retracing=True)

    def step(self, images: NDArray[np.uint8], targets: NDArray[np.float32], rate: float) -> tuple[float, int]:
        """One update by (n, h, w, 3) uint8 RGB images and (n, classes) float32 targets; (loss, images that agree)."""
        # Also at an epoch's last step: an epoch is judged by the zeros that the schedule gives it there.
        if self.num_steps % MASK_EVERY == 0 or (self.num_steps + 1) % self.steps_an_epoch == 0:
            wanted = compute_target_sparsity(self.num_steps, self.total_steps, self.sparsity)
            for kernel, mask in zip(self.kernels, self.masks, strict=True):
                mask.assign(make_magnitude_mask(kernel.numpy(), wanted))
        self.num_steps += 1
        loss, right = self._step(tf.constant(images), tf.constant(targets), tf.constant(rate, tf.float32))
        return float(loss), int(right)

    def finish_epoch(self) -> None:
        """Copies the weights into ``model``."""
        self.model.set_weights(self.training.get_weights())

    def _train_step(self, images: Any, targets: Any, rate: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = self.training(tf.cast(images, tf.float32), training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        self.optimizer.learning_rate.assign(rate)
        variables = self.training.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, [v.value for v in variables]), variables, strict=True))
        for kernel, mask in zip(self.kernels, self.masks, strict=True):
            kernel.assign(kernel * mask)
        return loss, tf.reduce_sum(tf.cast(tf.argmax(logits, 1) == tf.argmax(targets, 1), tf.int32))
