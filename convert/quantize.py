"""A trained Keras model -> .tflite bytes: the only file that touches the TFLite converter.

The leading `Rescaling` is taken off and becomes the input tensor's scale and zero point: left inside, it would stay in
the file as
a multiplication and an addition and throw away a third of the input levels. Must give the same bytes for the same
model.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from numpy.typing import NDArray

from convert.source import Source
from edge_runtime.errors import DataError, MissingInputError, ModelError
from edge_runtime.interpreter import available_backends

# tflite-runtime 2.14 reads models wrongly when TensorFlow was loaded into the process before it ("vector::reserve" or
# out of memory): the interpreters must be imported first.
available_backends()

# Marks the end of a layer's own name in the converter's scope paths; no Keras layer's automatic name has a dot.
_MARK = "."
_FOREIGN_LAYERS = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
_CONVERTER_NAMES = (
    (r"serving_default_image:0", "image"),
    (r"StatefulPartitionedCall\S*", "probabilities"),
    (r"arith\.constant\d*", "constant"),
    (r"tfl\.quantize\d*", "quantize"),
)


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
    import keras

    if not path.is_file():
        raise MissingInputError(f"There is no Keras model {path}; check the path.")
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


def to_float(source: Source) -> bytes:
    """The float32 .tflite of the whole model, normalisation inside: pixels 0..255 float32 in, probabilities out."""
    model, _ = _fixed_model(source, strip=False)
    return _convert(model)


def to_integer(source: Source, images: NDArray[np.uint8], io_dtype: str = "uint8") -> bytes:
    """The full-integer .tflite, calibrated on ``images`` (n, H, W, 3) uint8 RGB; raw pixels (``io_dtype`` int8: - 128)
    go in.

    Raises:
        ModelError: the converter refuses the model.
        DataError: there are no images, or they are of another shape than the model's input.
    """
    expected = (source.spec.input.height, source.spec.input.width, 3)
    if len(images) == 0 or images.shape[1:] != expected:
        raise DataError(f"The calibration images are {images.shape}, expected at least one of {expected}.")
    model, affine = _fixed_model(source, strip=True)

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        for index, image in enumerate(images):
            pixels = image[np.newaxis].copy()
            if index == 0:
                # Both extremes, so that the input's 256 levels are exactly the 256 pixel values.
                pixels[0, 0, 0], pixels[0, -1, -1] = 0, 255
            yield [affine(pixels)]

    return _convert(model, representative, io_dtype)


def input_affine(source: Source) -> Affine:
    """What the integer file's input tensor must do to pixels: the model's own leading normalisation, if a tensor can
    hold it.
    """
    return _leading_rescaling(load_model(source.model), Affine(source.input_mean, source.input_std))[1]


def layer_name(tensor_name: str) -> str:
    """The Keras layer's name in a tensor name of this file's conversions; what the converter added itself gets a
    short word.
    """
    found = re.findall(rf"([^/;]+?)\{_MARK}(?:_\d+)*/", tensor_name)
    if found:
        # A fused operator is named after all its layers; the one with the weights comes last but for its batch norm.
        return str(([name for name in found if not name.startswith("batch_norm")] or found)[-1])
    for pattern, word in _CONVERTER_NAMES:
        if re.fullmatch(pattern, tensor_name):
            return word
    return tensor_name


def _fixed_model(source: Source, *, strip: bool) -> tuple[Any, Affine]:
    """A clone for batch size 1 that ends in a softmax; if ``strip`` without its leading Rescaling, which comes back
    as the Affine.
    """
    import keras

    model = load_model(source.model)
    outside = Affine(source.input_mean, source.input_std)
    rescaling, affine = _leading_rescaling(model, outside) if strip else (None, outside)
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
            scores = keras.layers.Softmax(name=f"softmax{_MARK}")(scores)
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
            config["name"] = layer.name + _MARK
        return layer.__class__.from_config(config)

    return clone


def _leading_rescaling(model: Any, outside: Affine) -> tuple[Any, Affine]:
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


def _convert(model: Any, representative: Any = None, io_dtype: str = "float32") -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if representative is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, io_dtype)
    try:
        # Keras prints the endpoints of the model that it exports on the way; stdout is for results.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bytes(converter.convert())
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"The TFLite converter refuses the model ({reason}); expected layers that have integer kernels."
        ) from error
