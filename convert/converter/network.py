"""A trained Keras model made ready for conversion: loaded and checked, one image at a time, ending in a softmax.

Each layer's name gets a mark that survives the converter, so that tensors can be named after their layers. The leading
`Rescaling` can be taken off; what it did comes back as an `Affine`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.inputs.source import Source
from convert.tflite.names import MARK
from edge_runtime.errors import ModelError


@dataclass(frozen=True)
class Affine:
    """The network eats ``(pixel - mean) / std`` of pixels 0..255."""

    mean: float
    std: float

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        return ((pixels.astype(np.float64) - self.mean) / self.std).astype(np.float32)


def fix_model(source: Source, *, strip: bool) -> tuple[Any, Affine]:
    """A clone for batch size 1 that ends in a softmax; if ``strip`` without its leading Rescaling, which comes back
    as the Affine.

    Raises:
        ModelError: Keras cannot rebuild it, or it has not as many outputs as there are labels.
    """
    model = source.model.network  # first, because it loads Keras quietly
    import keras

    keras.backend.clear_session()  # layers without a name are numbered, and the numbers go into the file
    outside = Affine(source.input_mean, source.input_std)
    rescaling, affine = find_rescaling(model, outside) if strip else (None, outside)
    shape = (1, source.spec.input.height, source.spec.input.width, 3)
    try:
        image = keras.Input(batch_shape=shape, name="image")
        pixels = image
        if not strip and (outside.mean, outside.std) != (0.0, 1.0):
            pixels = keras.layers.Rescaling(1 / outside.std, -outside.mean / outside.std)(image)
        clone = keras.models.clone_model(model, input_tensors=_fresh(shape), clone_function=_cloner(rescaling))
        clone.set_weights(model.get_weights())
        scores = clone(pixels)
        if source.spec.output == "logits":
            scores = keras.layers.Softmax(name=f"softmax{MARK}")(scores)
        fixed = keras.Model(image, scores, name="network")
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ModelError(
            f"{source.model} cannot be rebuilt for {shape} ({' '.join(str(error).split())[:200]}); expected stock "
            f"layers that do."
        ) from error
    if fixed.output_shape[1] != len(source.spec.labels):
        raise ModelError(
            f"{source.model} has {fixed.output_shape[1]} outputs but there are {len(source.spec.labels)} labels; "
            f"they must agree."
        )
    return fixed, affine


def _fresh(shape: tuple[int, ...]) -> Any:
    import keras

    return keras.Input(batch_shape=shape, name="pixels")


def _cloner(rescaling: Any) -> Any:
    """Copies layers, each name marked; the layer ``rescaling`` becomes one that does nothing."""
    import keras

    def clone(layer: Any) -> Any:
        if layer is rescaling:
            return keras.layers.Identity(name=layer.name)
        config = layer.get_config()
        if not isinstance(layer, (keras.layers.InputLayer, keras.Model)):
            config["name"] = layer.name + MARK
        return layer.__class__.from_config(config)

    return clone


def find_rescaling(model: Any, outside: Affine) -> tuple[Any, Affine]:
    """The Rescaling that the pixels meet first, if one input tensor can stand for it, and what the network behind it
    eats.
    """
    import keras

    first = next((layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)), None)
    if (
        not isinstance(first, keras.layers.Rescaling)
        or len(model.inputs[0]._keras_history.operation._outbound_nodes) != 1
    ):
        return None, outside
    scale, offset = np.asarray(first.scale, np.float64).ravel(), np.asarray(first.offset, np.float64).ravel()
    if len(set(scale)) != 1 or len(set(offset)) != 1 or scale[0] <= 0:
        return None, outside
    # scale * (p - m) / s + offset = (p - (m - offset * s / scale)) / (s / scale)
    std = outside.std / float(scale[0])
    mean = outside.mean - float(offset[0]) * std
    # A tensor's range always holds the number 0, so only a mean among the pixel values can be a zero point.
    return (first, Affine(mean, std)) if 0 <= mean <= 255 else (None, outside)
