"""The network while it is tuned: one compiled step, one compiled answer, and its averaged weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from train.recipes.transfer_config import TransferRecipe
from train.training.prefetch import prefetch
from train.transfer.batches import CameraViews, PhotoBatch
from train.transfer.features.image_store import ImageStore
from train.transfer.rounding import insert_rounding
from train.transfer.scaled_adam import ScaledAdam

EVALUATION_BATCH = 64
# The head is fitted already, and a step of its many weights together moves a logit far.
HEAD_SCALE = np.array(0.3, np.float32)


class Tuner:
    """The network being tuned, its optimizer, and its compiled functions."""

    def __init__(self, model: keras.Model, scales: dict[str, NDArray[np.float32]], recipe: TransferRecipe) -> None:
        self.model, self.recipe = model, recipe
        self._rounded = insert_rounding(model)
        variables, factors = _tunable(model, scales, recipe.first_block)
        self.optimizer = ScaledAdam(variables, factors, recipe.average)
        self._step = tf.function(self._train_step, reduce_retracing=True)
        self._forward = tf.function(self._answer, reduce_retracing=True)

    def step(self, batch: PhotoBatch, rate: float) -> float:
        """One update with the learning rate ``rate``; the batch's weighted loss in nats."""
        images, targets, weights = (tf.constant(part) for part in batch)
        return float(self._step(images, targets, weights, tf.constant(rate, tf.float32)))

    def logits(self, store: ImageStore | CameraViews) -> NDArray[np.float32]:
        """(n, classes) float32 logits of all images, with the current weights."""
        starts = range(0, len(store), EVALUATION_BATCH)
        batches = prefetch(store.batch(range(start, min(start + EVALUATION_BATCH, len(store)))) for start in starts)
        return np.concatenate([self._forward(tf.constant(images)).numpy() for images in batches])

    def exchange(self) -> None:
        """Swaps the weights with their moving average; a second call swaps them back."""
        for variable, average in zip(self.optimizer.variables, self.optimizer.averaged, strict=True):
            raw = variable.numpy()
            variable.assign(average)
            average.assign(raw)

    def _train_step(self, images: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = self._rounded(tf.cast(images, tf.float32), training=True)
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
            loss = tf.reduce_mean(losses * weights)
        gradients = tape.gradient(loss, [variable.value for variable in self.optimizer.variables])
        self.optimizer.apply(gradients, rate)
        return loss

    def _answer(self, images: tf.Tensor) -> tf.Tensor:
        return self.model(tf.cast(images, tf.float32), training=False)


def _tunable(
    model: keras.Model, scales: dict[str, NDArray[np.float32]], first_block: int
) -> tuple[list[Any], list[NDArray[np.float32] | None]]:
    """The variables from block ``first_block`` on (0: all) and the factor of each; the head always."""
    variables: list[Any] = []
    factors: list[NDArray[np.float32] | None] = []
    for layer in model.layers:
        place = int(layer.name[5:7]) if layer.name.startswith("block") else 0 if layer.name == "stem" else 99
        if not layer.weights or (place < first_block):
            continue
        scale = scales.get(layer.name, HEAD_SCALE if layer is model.layers[-1] else None)
        if scale is not None and isinstance(layer, keras.layers.DepthwiseConv2D):
            scale = scale[:, None]
        variables += [layer.kernel, layer.bias]
        factors += [scale, HEAD_SCALE if layer is model.layers[-1] else None]
    return variables, factors
