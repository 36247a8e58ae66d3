"""``seed_cnn``: two convolutions and two dense layers, the simplest network that learns; any input size from 4x4."""

from __future__ import annotations

import keras
from keras import layers

from edge_runtime.contract import InputSpec
from edge_runtime.errors import UsageError
from train.models.normalization import add_normalized_input

MIN_SIZE = 4  # two poolings must leave at least one pixel


def build(input_spec: InputSpec, num_classes: int) -> keras.Model:
    """The untrained model: (n, h, w, 3) pixels 0..255 -> (n, num_classes) logits.

    Raises:
        UsageError: the input is too small.
    """
    if min(input_spec.height, input_spec.width) < MIN_SIZE:
        raise UsageError(
            f"The input is {input_spec.height}x{input_spec.width} but seed_cnn needs at least {MIN_SIZE}x{MIN_SIZE}: "
            "its two poolings would leave nothing. Give a larger --size."
        )
    pixels, x = add_normalized_input(input_spec)
    for number, filters in enumerate((32, 64), start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Dense(64, activation="relu", name="dense")(layers.Flatten(name="flatten")(x))
    return keras.Model(pixels, layers.Dense(num_classes, name="logits")(x), name="seed_cnn")
