"""How much eight bits alone change a network's answers: compares Keras with itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.inputs.source import normalize
from tests.tools.networks.sane import answer

HALF_A_LEVEL = 0.5


def measure_pixels(
    network: Any, images: NDArray[np.uint8], mean: float, std: float, expected: NDArray[np.float32]
) -> float:
    """The share of (n, H, W, 3) uint8 ``images`` whose label by Keras stays as ``expected``, (n, classes), when each
    pixel moves by at most half a level, as rounding to whole levels did before.
    """
    moved = images + np.random.default_rng(0).uniform(-HALF_A_LEVEL, HALF_A_LEVEL, images.shape)
    found = answer(network, ((moved - mean) / std).astype(np.float32))
    return _agree(found, expected)


def measure_both_ends(
    network: Any,
    calibration: NDArray[np.uint8],
    images: NDArray[np.uint8],
    mean: float,
    std: float,
    expected: NDArray[np.float32],
) -> float:
    """As `measure_pixels`, when besides the features before the last layer are rounded to 256 levels between their
    extremes on ``calibration``: what every full-integer file does, apart from all that lies between.
    """
    import keras

    head = network.layers[-1]
    body = keras.Model(network.input, head.input)
    known = answer(body, normalize(calibration, mean, std))
    lowest, highest = min(float(known.min()), 0.0), max(float(known.max()), 0.0)
    step = (highest - lowest) / 255
    moved = images + np.random.default_rng(0).uniform(-HALF_A_LEVEL, HALF_A_LEVEL, images.shape)
    features = answer(body, ((moved - mean) / std).astype(np.float32))
    rounded = np.clip(np.rint((features - lowest) / step), 0, 255) * step + lowest
    kernel, bias = head.get_weights()
    return _agree(rounded @ kernel + bias, expected)


def measure_weights(
    network: Any, images: NDArray[np.uint8], mean: float, std: float, expected: NDArray[np.float32]
) -> float:
    """As `measure_pixels`, but it is the kernels that are rounded to eight bits, a scale for each output channel, batch
    norms folded in as the converter does; all else stays float32. The weights of ``network`` are put back.
    """
    import keras

    layers = keras.layers
    before = network.get_weights()
    for layer in network._flatten_layers(include_self=False, recursive=True):
        if not isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)):
            continue
        kernel, *others = layer.get_weights()
        # A factor for each output channel, as a batch norm behind it is, changes nothing of the rounding.
        axes = (0, 1) if isinstance(layer, layers.DepthwiseConv2D) else tuple(range(kernel.ndim - 1))
        scale = np.maximum(np.abs(kernel).max(axis=axes, keepdims=True) / 127, 1e-12)
        layer.set_weights([np.rint(kernel / scale) * scale, *others])
    found = answer(network, normalize(images, mean, std))
    network.set_weights(before)
    return _agree(found, expected)


def _agree(found: NDArray[Any], expected: NDArray[np.float32]) -> float:
    return float((found.argmax(axis=1) == expected.argmax(axis=1)).mean())
