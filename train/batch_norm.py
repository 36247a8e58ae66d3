"""Batch normalisation by TensorFlow's fused kernel, for training only: inverted residuals train twice as fast.

The layer has the stock layer's variables in the stock order, so weights move both ways by position; nothing of this
class is ever saved.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """The stock layer, with batch statistics by ``FusedBatchNormV3`` while training on (n, h, w, channels) inputs."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not training or len(inputs.shape) != 4 or not (self.scale and self.center):
            return super().call(inputs, training=training, mask=mask)
        result = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=tf.zeros([0], inputs.dtype),
            variance=tf.zeros([0], inputs.dtype),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel reports the unbiased variance; the stock layer keeps the biased one.
        num = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], inputs.dtype)
        variance = tf.stop_gradient(result.batch_variance) * (num - 1) / num
        mean = tf.stop_gradient(result.batch_mean)
        self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1 - self.momentum))
        self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1 - self.momentum))
        return result.y


def training_clone(model: keras.Model) -> keras.Model:
    """A copy of ``model`` with the same weights whose batch norms use the fused kernel while training."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        stock = type(layer) is keras.layers.BatchNormalization
        return (FusedBatchNormalization if stock else type(layer)).from_config(layer.get_config())

    copy: keras.Model = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy
