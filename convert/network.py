"""A trained Keras model made ready for conversion: loaded and checked, one picture at a time, ending in a softmax.

Each layer's name gets a mark that survives the converter, so that tensors can be named after their layers. The leading
`Rescaling` can be taken off; what it did comes back as an `Affine`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from numpy.typing import NDArray

from convert.source import Source
from edge_runtime.errors import MissingInputError, ModelError
from edge_runtime.inference.interpreter import available_backends
from edge_runtime.system.quiet_start import quiet_start

# tflite-runtime 2.14 reads models wrongly when TensorFlow was loaded into the process before it ("vector::reserve" or
# out of memory): the interpreters must be imported first.
available_backends()

# Marks the end of a layer's own name in the converter's scope paths; no Keras layer's automatic name has a dot.
MARK = "."
_FOREIGN_LAYERS = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")


@dataclass(frozen=True)
class Inspection:
    """What a `.keras` file is: the size of its input picture, the number of classes, "logits" or "probabilities"."""

    height: int | None
    width: int | None
    num_classes: int
    output: str


@dataclass(frozen=True)
class Affine:
    """The network eats ``(pixel - mean) / std`` of pixels 0..255."""

    mean: float
    std: float

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        return ((pixels.astype(np.float64) - self.mean) / self.std).astype(np.float32)


def inspect_model(path: Path) -> Inspection:
    """The Inspection of a `.keras` file.

    Raises: as `load_model`, and ModelError when its input size is open.
    """
    model = load_model(path)
    _, height, width, _ = model.input_shape
    if height is None or width is None:
        raise ModelError(f"{path} takes pictures of any size {model.input_shape}, expected a fixed height and width.")
    return Inspection(
        height, width, int(model.output_shape[1]), "probabilities" if _ends_in_softmax(model) else "logits"
    )


def load_model(path: Path) -> Any:
    """The Keras model at ``path``: one colour picture in, one row of class scores out, stock layers only.

    Raises:
        MissingInputError: there is no such file.
        ModelError: it is no such model, or holds code (Lambda layers and the like), which is never run.
    """
    if not path.is_file():
        raise MissingInputError(f"There is no Keras model {path}; check the path.")
    with quiet_start():
        import keras
    keras.backend.clear_session()
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds; all of them mean that this file cannot be used.
        reason = " ".join(str(error).split())[:200]
        if "Lambda" in str(error) or "unsafe" in str(error) or "safe_mode" in str(error):
            raise ModelError(
                f"{path} holds a Lambda layer, which is code that this program does not run; expected stock Keras "
                f"layers only. "
                f"Replace the layer and save the model again. ({reason})"
            ) from error
        raise ModelError(
            f"{path} cannot be loaded by Keras ({reason}); expected a .keras file of stock layers."
        ) from error
    for layer in model._flatten_layers(include_self=False, recursive=True):
        kind = type(layer)
        if kind.__name__ in _FOREIGN_LAYERS or not kind.__module__.startswith("keras."):
            raise ModelError(
                f"{path} has the layer {layer.name} of type {kind.__name__}, expected stock Keras layers only."
            )
    shapes = model.input_shape, model.output_shape
    if (
        not all(isinstance(shape, tuple) for shape in shapes)
        or len(shapes[0]) != 4
        or shapes[0][3] != 3
        or len(shapes[1]) != 2
    ):
        raise ModelError(
            f"{path} maps {shapes[0]} to {shapes[1]}, expected one picture (n, height, width, 3) to one row of "
            f"scores (n, classes)."
        )
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise ModelError(
            f"{path} has weights that are not numbers, expected finite ones: training diverged. Train it again."
        )
    return model


def fixed_model(source: Source, *, strip: bool) -> tuple[Any, Affine]:
    """A clone for batch size 1 that ends in a softmax; if ``strip`` without its leading Rescaling, which comes back
    as the Affine.
    """
    model = load_model(source.model)  # first, because it loads Keras quietly
    import keras

    outside = Affine(source.input_mean, source.input_std)
    rescaling, affine = leading_rescaling(model, outside) if strip else (None, outside)
    shape = (1, source.spec.input.height, source.spec.input.width, 3)
    try:
        picture = keras.Input(batch_shape=shape, name="image")
        pixels = picture
        if not strip and (outside.mean, outside.std) != (0.0, 1.0):
            pixels = keras.layers.Rescaling(1 / outside.std, -outside.mean / outside.std)(picture)
        clone = keras.models.clone_model(model, input_tensors=_fresh(shape), clone_function=_cloner(rescaling))
        clone.set_weights(model.get_weights())
        scores = clone(pixels)
        if source.spec.output == "logits":
            scores = keras.layers.Softmax(name=f"softmax{MARK}")(scores)
        fixed = keras.Model(picture, scores, name="network")
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


def leading_rescaling(model: Any, outside: Affine) -> tuple[Any, Affine]:
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


def _ends_in_softmax(model: Any) -> bool:
    import keras

    last = model.layers[-1]
    if isinstance(last, keras.Model):
        return _ends_in_softmax(last)
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    return isinstance(last, keras.layers.Softmax) or activation == "softmax"
