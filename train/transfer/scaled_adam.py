"""Adam for convolutions that have their batch norms folded in: it moves them as if the batch norms were still apart.

Folding multiplies each output channel's kernel by a factor; steps on the folded kernel must be scaled alike, or
channels with a large factor hardly move and those with a small one are torn apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

BETA_1, BETA_2, TINY = 0.9, 0.999, 1e-7


class ScaledAdam:
    """Updates ``variables``; ``scales`` holds for each an array that broadcasts to it, or None for a plain step."""

    def __init__(self, variables: Sequence[Any], scales: Sequence[NDArray[np.float32] | None], average: float) -> None:
        self.variables, self.average_decay = list(variables), average
        self.scales = [None if scale is None else tf.constant(scale) for scale in scales]
        self.first = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self.second = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self.averaged = [tf.Variable(tf.identity(variable)) for variable in variables]
        self.num_steps = tf.Variable(0.0)

    def apply(self, gradients: Sequence[tf.Tensor], rate: tf.Tensor) -> None:
        """One step with the rate ``rate``; then the moving average of the variables follows."""
        self.num_steps.assign_add(1.0)
        num = self.num_steps
        # The average must forget the start: its span begins short and grows to that of the final decay.
        decay = tf.minimum(self.average_decay, (1 + num) / (10 + num))
        for variable, scale, gradient, first, second, averaged in zip(
            self.variables, self.scales, gradients, self.first, self.second, self.averaged, strict=True
        ):
            original = gradient if scale is None else gradient * scale
            first.assign(BETA_1 * first + (1 - BETA_1) * original)
            second.assign(BETA_2 * second + (1 - BETA_2) * original * original)
            move = first / (1 - BETA_1**num) / (tf.sqrt(second / (1 - BETA_2**num)) + TINY)
            variable.assign_sub(rate * (move if scale is None else move * scale))
            averaged.assign(decay * averaged + (1 - decay) * variable)

    def state(self) -> list[NDArray[Any]]:
        """All numbers except the variables and their averages, for a checkpoint."""
        return [variable.numpy() for variable in (*self.first, *self.second, self.num_steps)]

    def restore(self, state: Sequence[NDArray[Any]], averaged: Sequence[NDArray[Any]]) -> None:
        """Continues from what `state` gave, with these moving averages."""
        for variable, value in zip((*self.first, *self.second, self.num_steps), state, strict=True):
            variable.assign(value)
        for variable, value in zip(self.averaged, averaged, strict=True):
            variable.assign(value)
