"""The copy of a model that is trained: batch normalisation by TensorFlow's fused kernel, which makes inverted residuals
train twice as fast, and bfloat16 on request.

Its layers have the stock layers' variables in the stock order, so weights move both ways by position; nothing of it is
ever saved.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]  # Keras has no types
    """The stock layer, with batch statistics by ``FusedBatchNormV3`` while training on (n, h, w, channels) inputs."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """(n, h, w, channels) float32 or bfloat16 -> the same shape, normalised by the batch while ``training``."""
        if not training or len(inputs.shape) != 4 or not (self.scale and self.center):
            return super().call(inputs, training=training, mask=mask)
        # `.value` is the variable itself: under mixed precision the inputs are bfloat16, the statistics never.
        result = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel reports the unbiased variance; the stock layer keeps the biased one.
        num = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], tf.float32)
        variance = tf.stop_gradient(result.batch_variance) * (num - 1) / num
        mean = tf.stop_gradient(result.batch_mean)
        self.moving_mean.assign(self.moving_mean.value * self.momentum + mean * (1 - self.momentum))
        self.moving_variance.assign(self.moving_variance.value * self.momentum + variance * (1 - self.momentum))
        return result.y


# Layers that may compute in bfloat16: the bulk of the work. Depthwise convolutions are slower in it, and the pixels,
# the pooled means and the logits keep full precision.
HALVED = (keras.layers.Conv2D, keras.layers.BatchNormalization, keras.layers.ReLU, keras.layers.Add)


def clone_for_training(model: keras.Model, precision: str = "float32") -> keras.Model:
    """A copy of ``model`` with the same weights whose batch norms use the fused kernel while training.

    With ``precision`` bfloat16 the layers of `HALVED` compute in it; the weights stay float32 (Micikevicius et al.,
    "Mixed Precision Training", 2018).
    """

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        stock = type(layer) is keras.layers.BatchNormalization
        config = layer.get_config()
        if precision == "bfloat16" and type(layer) in HALVED:
            config["dtype"] = "mixed_bfloat16"
        return (FusedBatchNormalization if stock else type(layer)).from_config(config)

    copy: keras.Model = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy
