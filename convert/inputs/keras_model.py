"""A `.keras` file, loaded once and checked: stock layers, one image in, one row of scores out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from convert.inputs.adapting import ADAPTING, Pixels, adapt_network
from convert.inputs.one_image import expect_one_row
from convert.inputs.wrong_model import expect_keras_file
from edge_runtime.errors import ModelError
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.system.quiet_start import quiet_start

# tflite-runtime 2.14 misreads models if TensorFlow was loaded into the process before it ("vector::reserve" or out of
# memory), so the backends must be imported first.
list_available_backends()

_FOREIGN_LAYERS = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")


@dataclass(frozen=True)
class KerasFile:
    """The `.keras` file at ``path``; ``network`` is its Keras model, loaded once on first use, behind the preprocessing
    in ``pixels`` where no input tensor can express it.

    ``network`` must never be changed, only copied: every conversion of the file starts from it.
    """

    path: Path
    pixels: Pixels = field(default_factory=Pixels)

    @cached_property
    def network(self) -> Any:
        """The Keras model. Raises: as `load_network`."""
        network = load_network(self.path)
        if network.input_shape[3] == 3 and self.pixels.is_one_scale:
            return network
        return adapt_network(network, self.pixels)

    def outside(self) -> tuple[float, float]:
        """The mean and standard deviation that are left for the input tensor, in pixel units."""
        if self.pixels.is_one_scale and self.network.layers[1].name != ADAPTING:
            return self.pixels.mean[0], self.pixels.std[0]
        return 0.0, 1.0

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class Inspection:
    """The input size of a `.keras` file in pixels, and its number of classes (a single output decides between two)."""

    height: int
    width: int
    num_classes: int


def inspect_file(file: KerasFile) -> Inspection:
    """The Inspection of a `.keras` file.

    Raises: as `load_network`, and ModelError when its input size is open.
    """
    network = file.network
    _, height, width, _ = network.input_shape
    if height is None or width is None:
        channels = network.input_shape[3]
        raise ModelError(
            f"{file} takes images of any size {network.input_shape}, expected a fixed height and width. Give it one "
            f"and save that: fixed = keras.models.clone_model(model, input_tensors=keras.Input((96, 96, {channels}))), "
            "then fixed.set_weights(model.get_weights())."
        )
    return Inspection(height, width, max(int(network.output_shape[1]), 2))


def load_network(path: Path) -> Any:
    """The Keras model at ``path``: one colour or grey image in, one row of class scores out, stock layers only.

    Raises:
        MissingInputError: there is no such file.
        ModelError: it is something else, or holds code (Lambda layers and the like), which is never run.
    """
    expect_keras_file(path)
    with quiet_start():
        import keras
    keras.backend.clear_session()
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds; all of them mean that this file cannot be used.
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{path} cannot be loaded by Keras ({reason}); expected a .keras file of stock layers."
        ) from error
    _expect_convertible_layers(path, model)
    model = expect_one_row(path, model)
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise ModelError(
            f"{path} has weights that are not numbers, expected finite ones: training diverged. Train it again."
        )
    return model


def _expect_convertible_layers(path: Path, model: Any) -> None:
    """Raises ModelError, naming the layer, unless all layers of ``model``, at any depth, are stock ones in floating
    point that a full-integer file can hold.
    """
    import keras

    layers = list(model._flatten_layers(include_self=False, recursive=True))
    for layer in layers:
        kind = type(layer)
        if kind.__name__ in _FOREIGN_LAYERS or not kind.__module__.startswith("keras."):
            raise ModelError(
                f"{path} has the layer {layer.name} of type {kind.__name__}, expected stock Keras layers only."
            )
        mode = getattr(layer.dtype_policy, "quantization_mode", None)
        if mode is not None:
            raise ModelError(
                f"{path} was quantised by model.quantize({mode!r}) (layer {layer.name}), expected float weights: "
                "convert quantises itself. Save the model before quantize() and give that file."
            )
        if isinstance(layer, keras.layers.RNN):  # the converter would crash on it without a message
            raise ModelError(
                f"{path} has the layer {layer.name} of type {kind.__name__}, which no full-integer file can hold; "
                "expected no recurrent layers. Use Conv2D and pooling instead."
            )
