"""A network that is trained with the rounding of its later integer form.

The outputs of linear layers have no fixed range: one outlier makes the steps of all other values coarse. While they are
tuned they are rounded to 256 steps between the batch's extremes, with the gradient passed straight through (Jacob et
al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018, section 3),
so that the network learns not to depend on less. The saved model does not have these layers.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

# Layers of the backbone whose outputs are not clipped by a ReLU6.
LINEAR = ("_project", "_add")


class Rounded(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """(n, ...) float32 -> the same values on the nearest of 256 steps from the smallest (at most 0) to the largest."""

    def call(self, x: Any) -> Any:
        """The rounded values; the gradient is that of the unrounded values."""
        low = tf.minimum(tf.reduce_min(x), 0.0)
        high = tf.maximum(tf.reduce_max(x), low + 1e-3)
        coarse = tf.quantization.fake_quant_with_min_max_vars(x, low, high, num_bits=8)
        return x + tf.stop_gradient(coarse - x)


def insert_rounding(model: keras.Model) -> keras.Model:
    """``model``'s own layers and weights, with the outputs of its `LINEAR` layers `Rounded`."""

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        y = layer(*args, **kwargs)
        return Rounded(name=f"{layer.name}_rounded")(y) if layer.name.endswith(LINEAR) else y

    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)
