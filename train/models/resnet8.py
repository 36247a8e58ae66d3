"""``resnet8``: the image-classification reference of MLPerf Tiny, 78,666 parameters and 12.50 M MACs at 32x32x3.

Banbury et al., "MLPerf Tiny Benchmark" (2021): three stacks of one residual block with 16, 32 and 64 filters; every
convolution has a bias and, apart from the shortcuts, a batch normalisation.
"""

from __future__ import annotations

import keras
from keras import layers

from edge_runtime.contract import InputSpec
from train.models.normalization import add_normalized_input

STACKS = ((16, 1), (32, 2), (64, 2))  # (filters, stride)


def build(input_spec: InputSpec, num_classes: int) -> keras.Model:
    """The untrained model: (n, h, w, 3) pixels 0..255 -> (n, num_classes) logits."""
    pixels, x = add_normalized_input(input_spec)
    x = layers.ReLU(name="stem_relu")(_convolve(x, "stem", STACKS[0][0], 1))
    for number, (filters, stride) in enumerate(STACKS, start=1):
        x = _residual(x, f"s{number}", filters, stride)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    logits = layers.Dense(num_classes, kernel_initializer="he_normal", name="logits")(x)
    return keras.Model(pixels, logits, name="resnet8")


def _residual(x: keras.KerasTensor, name: str, filters: int, stride: int) -> keras.KerasTensor:
    y = layers.ReLU(name=f"{name}_a_relu")(_convolve(x, f"{name}_a", filters, stride))
    y = _convolve(y, f"{name}_b", filters, 1)
    if stride > 1:
        x = layers.Conv2D(filters, 1, stride, padding="same", kernel_initializer="he_normal", name=f"{name}_short")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))


def _convolve(x: keras.KerasTensor, name: str, filters: int, stride: int) -> keras.KerasTensor:
    x = layers.Conv2D(filters, 3, stride, padding="same", kernel_initializer="he_normal", name=name)(x)
    return layers.BatchNormalization(name=f"{name}_bn")(x)
