"""Tuning feels the rounding of the integer form, and what is saved does not have it."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


def network():
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    x = pixels = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 1, name="block00_project")(x)
    y = layers.Conv2D(6, 1, name="block01_project")(x)
    x = layers.Add(name="block01_add")([x, y])
    return keras.Model(pixels, layers.Dense(3, name="logits")(layers.GlobalAveragePooling2D(name="pool")(x)))


def test_linear_outputs_take_256_values_and_the_weights_are_shared():
    import keras

    from train.transfer.rounding import insert_rounding

    model = network()
    twin = insert_rounding(model)
    assert [id(variable) for variable in twin.weights] == [id(variable) for variable in model.weights]
    assert not any("rounded" in layer.name for layer in model.layers)
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)
    plain = keras.Model(model.inputs[0], model.get_layer("block01_add").output)(images).numpy()
    coarse = keras.Model(twin.inputs[0], twin.get_layer("block01_add_rounded").output)(images).numpy()
    assert len(np.unique(plain)) > 1000
    assert len(np.unique(np.round(coarse, 4))) <= 256
    assert np.abs(plain - coarse).max() < 3 * np.ptp(plain) / 255


def test_the_gradient_passes_through():
    import tensorflow as tf

    from train.transfer.rounding import Rounded

    x = tf.constant([[-1.0, 0.1, 0.2, 3.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(Rounded()(x) * tf.constant([[1.0, 2.0, 3.0, 4.0]]))
    assert tape.gradient(y, x).numpy().tolist() == [[1.0, 2.0, 3.0, 4.0]]
