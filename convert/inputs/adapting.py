"""Puts the preprocessing that a network expects in front of it, where an input tensor cannot express it: another
channel order, grey, a mean for each channel.

It is a single stock 1x1 convolution, so the file takes RGB images 0..255 like every other, and every rewrite of the
network is compared with the network including it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import UsageError

CHANNELS = ("rgb", "bgr")
ADAPTING = "pixels_as_expected"  # the name of the layer
# Rec. 601, as in OpenCV's and Pillow's grey.
GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Pixels:
    """The preprocessing that a network expects: ``(pixel - mean) / std`` of pixels 0..255, one value for all channels
    or R, G, B; and the order of its ``channels``, "rgb" or "bgr".
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    channels: str = "rgb"

    def __post_init__(self) -> None:
        if self.channels not in CHANNELS:
            raise UsageError(f"The order of channels is {self.channels!r}, expected {' or '.join(CHANNELS)}.")
        for what, values in (("mean", self.mean), ("standard deviation", self.std)):
            if len(values) not in (1, 3) or not np.isfinite(values).all():
                raise UsageError(f"The {what} is {values}, expected one number or R,G,B in pixel units (0..255).")
        if min(self.std) <= 0:
            raise UsageError(
                f"The standard deviation is {min(self.std)}, expected a number above 0 in pixel units (0..255)."
            )

    @property
    def is_one_scale(self) -> bool:
        """Whether the scale and zero point of an input tensor can express it."""
        return self.channels == "rgb" and len(set(self.mean)) == len(set(self.std)) == 1


def adapt_network(network: Any, pixels: Pixels) -> Any:
    """A Keras model that takes (n, H, W, 3) RGB pixels 0..255 and passes them to ``network``, which has one or three
    channels, as ``pixels`` says.
    """
    import keras

    _, height, width, depth = network.input_shape
    weights, biases = make_weights(pixels, depth)
    image = keras.Input((height, width, 3), name="image")
    convolution = keras.layers.Conv2D(depth, 1, name=ADAPTING)
    adapted = keras.Model(image, network(convolution(image)), name=network.name)
    convolution.set_weights([weights[np.newaxis, np.newaxis], biases])
    return adapted


def make_weights(pixels: Pixels, depth: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (3, depth) and biases (depth,), float32, that do to RGB pixels 0..255 what ``pixels`` says."""
    order = np.eye(3)[:, ::-1] if pixels.channels == "bgr" else np.eye(3)
    if depth == 1:
        order = np.array(GREY)[:, np.newaxis]
    mean, std = (np.broadcast_to(np.array(values), (3,)) @ order for values in (pixels.mean, pixels.std))
    return (order / std).astype(np.float32), (-mean / std).astype(np.float32)
