"""``small``: a residual network of five blocks, about 464,000 parameters and 73 M MACs at 32x32x3 with ten classes.

He et al., "Deep Residual Learning for Image Recognition" (2016) gives the block; widths and depths fill a budget of
512,024 bytes and 76.5 M MACs, with more depth where the image is small. Activations are clipped at 6, which keeps
their 8-bit steps fine; plain 3x3 convolutions train and run faster than depthwise ones of the same number of MACs.
"""

from __future__ import annotations

import keras
from keras import layers

from edge_runtime.contract import InputSpec
from train.models.normalization import add_normalized_input

STEM_CHANNELS = 32
BLOCKS = ((32, 1), (64, 2), (64, 1), (96, 2), (96, 1))  # (channels, stride)


def build(input_spec: InputSpec, num_classes: int) -> keras.Model:
    """The untrained model: (n, h, w, 3) pixels 0..255 -> (n, num_classes) logits."""
    pixels, x = add_normalized_input(input_spec)
    x = layers.ReLU(6.0, name="stem_relu")(_convolve(x, "stem", STEM_CHANNELS, 3))
    for number, (channels, stride) in enumerate(BLOCKS, start=1):
        x = _residual(x, f"b{number}", channels, stride)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(pixels, layers.Dense(num_classes, name="logits")(x), name="small")


def _residual(x: keras.KerasTensor, name: str, channels: int, stride: int) -> keras.KerasTensor:
    y = layers.ReLU(6.0, name=f"{name}_a_relu")(_convolve(x, f"{name}_a", channels, 3, stride))
    y = _convolve(y, f"{name}_b", channels, 3)
    if x.shape[1:] != y.shape[1:]:
        x = _convolve(x, f"{name}_short", channels, 1, stride)
    return layers.ReLU(6.0, name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))


def _convolve(x: keras.KerasTensor, name: str, channels: int, size: int, stride: int = 1) -> keras.KerasTensor:
    convolution = layers.Conv2D(
        channels, size, stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )
    return layers.BatchNormalization(name=f"{name}_bn")(convolution(x))
