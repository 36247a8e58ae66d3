"""A network of the size that people usually ask about, untrained: its time does not depend on its weights."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from convert.compare.variants import FLOAT32
from convert.converter import quantize
from convert.inputs.source import Source
from edge_runtime.contract import InputSpec, ModelSpec

SIZE, CLASSES = 224, 1000


def mobilenet_files() -> dict[str, bytes]:
    """MobileNetV2 1.0 at 224x224 with random weights: the float32 and the full-integer flatbuffer."""
    import keras

    keras.utils.set_random_seed(0)
    body = keras.applications.MobileNetV2((SIZE, SIZE, 3), weights=None, classes=CLASSES, classifier_activation=None)
    picture = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(picture, body(keras.layers.Rescaling(1 / 128, -127 / 128)(picture)))
    spec = ModelSpec("mobilenet_v2", tuple(map(str, range(CLASSES))), InputSpec(SIZE, SIZE), "logits")
    images = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        source = Source(path, spec, (), (), {})
        return {FLOAT32: quantize.to_float(source), "int8": quantize.to_integer(source, images)}
