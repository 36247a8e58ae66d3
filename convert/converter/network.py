"""A trained Keras model made ready for conversion: loaded and checked, one image at a time, ending in a softmax.

Each layer's name gets a mark that survives the converter, so that tensors can be named after their layers. Operations
at the start that only scale the pixels can be stripped; what they did is returned as an `Affine`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from convert.converter.faithful import expect_same_answers
from convert.converter.leading_scale import Affine, Leading, find_leading
from convert.inputs.answers import run_model
from convert.inputs.source import Source
from convert.tflite.names import MARK
from edge_runtime.errors import ModelError


def fix_model(source: Source, *, strip: bool) -> tuple[Any, Affine]:
    """A clone for batch size 1 that ends in a softmax; with ``strip``, without the operations at its start that only
    scale the pixels. The Affine says what those did.

    Raises:
        ModelError: Keras cannot rebuild it, or the numbers of outputs and labels differ.
    """
    model = source.model.network  # first, because it loads Keras quietly
    import keras

    keras.backend.clear_session()  # layers without a name are numbered, and the numbers go into the file
    outside = Affine(source.input_mean, source.input_std)
    leading = find_leading(model, outside) if strip else Leading((), outside)
    shape = (1, source.spec.input.height, source.spec.input.width, 3)
    try:
        image = keras.Input(batch_shape=shape, name="image")
        pixels = image
        if not strip and (outside.mean, outside.std) != (0.0, 1.0):
            pixels = keras.layers.Rescaling(1 / outside.std, -outside.mean / outside.std)(image)
        cloner = _cloner(leading.operations)
        clone = keras.models.clone_model(model, input_tensors=_fresh(shape), clone_function=cloner, recursive=True)
        clone.set_weights(model.get_weights())
        _finish_layers(clone)
        scores = _as_probabilities(clone(pixels), source.spec.output)
        fixed = keras.Model(image, scores, name="network")
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ModelError(
            f"{source.model} cannot be rebuilt for {shape} ({' '.join(str(error).split())[:200]}); expected stock "
            "layers that take this shape."
        ) from error
    if fixed.output_shape[1] != len(source.spec.labels):
        raise ModelError(
            f"{source.model} has {fixed.output_shape[1]} outputs but there are {len(source.spec.labels)} labels; "
            "expected as many of each."
        )
    inputs = leading.affine if strip else (lambda images: images.astype(np.float32))
    expect_same_answers(source, lambda images: run_model(fixed, inputs(images)), "The rebuilt network")
    return fixed, leading.affine


def _finish_layers(model: Any) -> None:
    """Makes layers recompute what they derive from weights, such as the statistics of an adapted `Normalization`."""
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def _as_probabilities(scores: Any, meaning: str) -> Any:
    """The (1, outputs) Keras tensor ``scores`` as (1, classes) probabilities; one output p becomes two, 1 - p and p."""
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


def _cloner(left_out: Sequence[Any]) -> Callable[[Any], Any]:
    """Copies layers and operations and marks their names; those ``left_out`` are replaced by ones that do nothing."""
    import keras

    class PassOn(keras.Operation):  # type: ignore[misc]
        """Returns its first argument, whatever else it is called with."""

        def call(self, inputs: Any, *_: Any) -> Any:
            return inputs

        def compute_output_spec(self, inputs: Any, *_: Any) -> Any:
            return keras.KerasTensor(inputs.shape, dtype=inputs.dtype)

    def clone(layer: Any) -> Any:
        if any(layer is other for other in left_out):
            # A Sequential accepts only layers, and a layer cannot be called with plain numbers.
            return keras.layers.Identity() if isinstance(layer, keras.Layer) else PassOn()
        config = _in_float32(layer.get_config())
        if not isinstance(layer, keras.layers.InputLayer):
            config["name"] = layer.name + MARK
        return layer.__class__.from_config(config)

    return clone


def _in_float32(config: Any) -> Any:
    """A layer's configuration without half precision, at any depth: the converter accepts only float32."""
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
