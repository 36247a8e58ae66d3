"""A run directory as `train` writes it, made in seconds: images of coloured stripes and a small network that
learns them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.contract import InputSpec, ModelSpec, to_json
from edge_runtime.inference.interpreter import list_available_backends

list_available_backends()  # before TensorFlow: see convert/converter/network.py

LABELS = ("red rows", "green columns", "blue rows", "grey columns")
SIZE = 16


def striped_images(num_per_class: int, seed: int) -> tuple[Any, Any]:
    """(n, 16, 16, 3) uint8 RGB noisy stripes and their class indices, classes taking turns."""
    random = np.random.default_rng(seed)
    labels = np.tile(np.arange(len(LABELS)), num_per_class)
    images = random.integers(0, 90, (len(labels), SIZE, SIZE, 3))
    stripes = (np.arange(SIZE) // 2 % 2 * 110).astype(np.int64)
    for image, label in zip(images, labels, strict=True):
        shape = stripes[:, None] if label in (0, 2) else stripes[None, :]
        for channel in (0, 1, 2) if label == 3 else (int(label),):
            image[:, :, channel] += shape + random.integers(0, 40)
    return images.clip(0, 255).astype(np.uint8), labels


def small_network(mean: float = 127.0, std: float = 128.0, *, normalization: bool = True) -> Any:
    """An untrained Keras classifier of 16x16 images: convolution with batch norm, residual, depthwise, dense;
    logits.
    """
    import keras

    layers = keras.layers
    image = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / std, -mean / std)(image) if normalization else image
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.Add()([x, layers.Conv2D(8, 3, padding="same")(x)])
    x = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
    x = layers.ReLU()(x)
    x = layers.Flatten()(x)
    return keras.Model(image, layers.Dense(len(LABELS))(x), name="stripes")


def trained_network(**settings: Any) -> Any:
    import keras

    keras.backend.clear_session()  # layers are numbered a process through, and tests name them
    keras.utils.set_random_seed(1)
    model = small_network(**settings)
    images, labels = striped_images(60, seed=1)
    inputs = images.astype(np.float32)
    if not settings.get("normalization", True):
        inputs = (inputs - 127) / 128
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    model.fit(inputs, labels, batch_size=32, epochs=6, verbose=0)
    return model


def write_run(path: Path, model: Any, *, num_test: int = 40, name: str = "stripes", num_validation: int = 0) -> Path:
    """A run directory in the documented format."""
    (path / "images").mkdir(parents=True)
    model.save(path / "model.keras")
    spec = ModelSpec(name, LABELS, InputSpec(SIZE, SIZE), "logits")
    (path / "contract.json").write_text(to_json(spec))
    (path / "config.json").write_text(json.dumps({"model": "stripes", "seed": 1}))
    (path / "metrics.json").write_text(json.dumps({"accuracy": 1.0}))
    lists = {}
    splits = [("calibration", 30, 2), ("test", num_test, 3)]
    splits += [("validation", num_validation, 4)] if num_validation else []
    for which, num, seed in splits:
        images, labels = striped_images(num, seed)
        np.save(path / "images" / f"{which}.npy", images)
        lists[which] = [
            {
                "name": f"{which}/{row:04}",
                "label": int(label),
                "file": f"images/{which}.npy",
                "row": row,
                "sha256": hashlib.sha256(image.tobytes()).hexdigest(),
            }
            for row, (image, label) in enumerate(zip(images, labels, strict=True))
        ]
    (path / "images.json").write_text(json.dumps(lists))
    return path


@pytest.fixture(autouse=True)
def brief_field_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a small network's conversion would be the field test, which has tests of its own."""
    monkeypatch.setattr("convert.measure.field_test.MAX_IMAGES", 8)


@pytest.fixture(scope="session")
def network() -> Any:
    """The trained striped-images network; do not change its weights."""
    pytest.importorskip("tensorflow")
    return trained_network()


@pytest.fixture
def make_run(tmp_path: Path, network: Any) -> Callable[..., Path]:
    """``make_run(model=None, **settings)`` writes a run directory of the trained network, or of another model."""

    def make(model: Any = None, name: str = "run", **settings: Any) -> Path:
        return write_run(tmp_path / name, model or network, **settings)

    return make


TOYS = Path(__file__).parents[1] / "edge_runtime" / "toys"


@pytest.fixture
def toy() -> bytes:
    """A full-integer classifier of 8x8 images as the converter wrote it, uint8 in and out."""
    return (TOYS / "uint8.tflite").read_bytes()
