"""``micro``: inverted residuals at full resolution, 69,594 parameters and 8.66 M MACs at 32x32x3 with ten classes.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018) gives the block; widths and strides were
ranked here under a budget of 98,496 bytes. Activations are clipped at 6, which keeps their 8-bit steps fine.
"""

from __future__ import annotations

import keras
from keras import layers

from edge_runtime.contract import InputSpec
from train.models.normalization import add_normalized_input

STEM_CHANNELS = 16
BLOCKS = ((24, 2), (24, 1), (24, 1), (44, 2), (44, 1), (44, 1))  # (channels, stride)
EXPANSION = 4
HEAD_CHANNELS = 112


def build(input_spec: InputSpec, num_classes: int) -> keras.Model:
    """The untrained model: (n, h, w, 3) pixels 0..255 -> (n, num_classes) logits."""
    pixels, x = add_normalized_input(input_spec)
    x = _convolve(x, "stem", layers.Conv2D(STEM_CHANNELS, 3, padding="same", use_bias=False, name="stem"))
    x = _convolve(x, "b0_dw", layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="b0_dw"))
    x = _convolve(x, "b0_out", layers.Conv2D(STEM_CHANNELS, 1, use_bias=False, name="b0_out"), activate=False)
    for number, (channels, stride) in enumerate(BLOCKS, start=1):
        x = _inverted_residual(x, f"b{number}", channels, stride)
    x = _convolve(x, "head", layers.Conv2D(HEAD_CHANNELS, 1, use_bias=False, name="head"))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(pixels, layers.Dense(num_classes, name="logits")(x), name="micro")


def _inverted_residual(x: keras.KerasTensor, name: str, channels: int, stride: int) -> keras.KerasTensor:
    """Widen by 1x1, filter each channel by 3x3, narrow by a linear 1x1; plus the input where the shapes agree."""
    width = x.shape[-1] * EXPANSION
    y = _convolve(x, f"{name}_in", layers.Conv2D(width, 1, use_bias=False, name=f"{name}_in"))
    depthwise = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False, name=f"{name}_dw")
    y = _convolve(y, f"{name}_dw", depthwise)
    y = _convolve(y, f"{name}_out", layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_out"), activate=False)
    return layers.Add(name=f"{name}_add")([x, y]) if x.shape[1:] == y.shape[1:] else y


def _convolve(x: keras.KerasTensor, name: str, layer: layers.Layer, *, activate: bool = True) -> keras.KerasTensor:
    x = layers.BatchNormalization(name=f"{name}_bn")(layer(x))
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if activate else x
