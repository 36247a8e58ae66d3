"""A trained Keras model made ready for conversion: loaded and checked, one image at a time, ending in a softmax.

Each layer's name gets a mark that survives the converter, so that tensors can be named after their layers. The leading
`Rescaling` can be taken off; what it did comes back as an `Affine`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.converter.faithful import expect_same_answers
from convert.inputs.answers import run_model
from convert.inputs.source import Source, normalize
from convert.tflite.names import MARK
from edge_runtime.errors import ModelError


@dataclass(frozen=True)
class Affine:
    """The network eats ``(pixel - mean) / std`` of pixels 0..255."""

    mean: float
    std: float

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return normalize(pixels, self.mean, self.std)


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
        _finish_layers(clone)
        scores = _as_probabilities(clone(pixels), source.spec.output)
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
    inputs = (lambda images: affine(images)) if strip else (lambda images: images.astype(np.float32))
    expect_same_answers(source, lambda images: run_model(fixed, inputs(images)), "The rebuilt network")
    return fixed, affine


def _finish_layers(model: Any) -> None:
    """Has layers read what they computed from their weights when they were built: the statistics of an adapted
    `Normalization` are such.
    """
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def _as_probabilities(scores: Any, meaning: str) -> Any:
    """The (1, outputs) Keras tensor ``scores`` as (1, classes) probabilities; of one output p two become, 1 - p and
    p.
    """
    import keras

    if scores.shape[1] != 1:
        return keras.layers.Softmax(name=f"softmax{MARK}")(scores) if meaning == "logits" else scores
    if meaning == "logits":
        scores = keras.layers.Activation("sigmoid", name=f"sigmoid{MARK}")(scores)
    other = keras.layers.Rescaling(-1.0, 1.0, name=f"other{MARK}")(scores)
    return keras.layers.Concatenate(name=f"both{MARK}")([other, scores])


def _fresh(shape: tuple[int, ...]) -> Any:
    import keras

    return keras.Input(batch_shape=shape, name="pixels")


def _cloner(rescaling: Any) -> Any:
    """Copies layers, each name marked; the layer ``rescaling`` becomes one that does nothing."""
    import keras

    def clone(layer: Any) -> Any:
        if layer is rescaling:
            return keras.layers.Identity(name=layer.name)
        config = _in_float32(layer.get_config())
        if not isinstance(layer, (keras.layers.InputLayer, keras.Model)):
            config["name"] = layer.name + MARK
        return layer.__class__.from_config(config)

    return clone


def _in_float32(config: Any) -> Any:
    """A layer's configuration without half precision, at any depth: the converter takes float32 alone."""
    if isinstance(config, dict):
        return {
            key: "float32" if key == "dtype" and _is_half(value) else _in_float32(value)
            for key, value in config.items()
        }
    if isinstance(config, list):
        return [_in_float32(item) for item in config]
    return config


def _is_half(dtype: Any) -> bool:
    name = dtype.get("config", {}).get("name") if isinstance(dtype, dict) else dtype
    return str(name) in ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


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
