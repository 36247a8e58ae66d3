"""What a model does to its pixels first is found wherever it stands, and becomes the scale of the input tensor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.converter import network
from convert.converter.leading_scale import Affine, find_leading
from convert.inputs.answers import run_model
from convert.inputs.keras_model import KerasFile
from convert.inputs.source import Source
from edge_runtime.contract import InputSpec, ModelSpec

keras: Any = pytest.importorskip("keras")
pytestmark = pytest.mark.tensorflow
layers = keras.layers
RAW = Affine(0.0, 1.0)


def nested(*inner: Any) -> Any:
    image = x = keras.Input((8, 8, 3))
    for layer in inner:
        x = layer(x)
    return keras.Model(image, x, name="body")


def augmented() -> Any:
    return keras.Sequential([keras.Input((8, 8, 3)), layers.RandomFlip(), layers.RandomRotation(0.1)])


def build(*first: Any) -> Any:
    image = x = keras.Input((8, 8, 3))
    for step in first:
        x = step(x)
    x = layers.Conv2D(4, 3, activation="relu", kernel_initializer="he_normal")(x)
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


FOUND: dict[str, tuple[Callable[[], list[Any]], tuple[float, float]]] = {
    "a layer": (lambda: [layers.Rescaling(1 / 127.5, -1)], (127.5, 127.5)),
    "nothing": (lambda: [], (0, 1)),
    "in a network within": (lambda: [nested(layers.Rescaling(1 / 255), layers.Conv2D(3, 1))], (0, 255)),
    "two networks deep": (lambda: [nested(nested(layers.Rescaling(1 / 255)), layers.Conv2D(3, 1))], (0, 255)),
    "behind augmentation": (lambda: [augmented(), layers.Rescaling(1 / 255)], (0, 255)),
    "at the end of a sequence": (
        lambda: [keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255)]), layers.Rescaling(2, -1)],
        (127.5, 127.5),
    ),
    "arithmetic": (lambda: [keras.applications.mobilenet_v2.preprocess_input], (127.5, 127.5)),
    "arithmetic, nested": (lambda: [nested(lambda x: (x - 128.0) / 64.0, layers.Conv2D(3, 1))], (128, 64)),
    "a product": (lambda: [lambda x: x * 0.5, lambda x: x + 3.0 - 8.0], (10, 2)),
    "each channel its own": (lambda: [layers.Rescaling(1 / 255), layers.Rescaling([1.0, 2.0, 3.0])], (0, 255)),
    "a mean that is no pixel": (lambda: [layers.Rescaling(1 / 255), layers.Rescaling(1.0, 0.5)], (0, 255)),
    "brought back": (lambda: [layers.Rescaling(1.0, 10.0), layers.Rescaling(1 / 127.5, -1 - 10 / 127.5)], (127.5, 127.5)),
    "a negative": (lambda: [layers.Rescaling(-1 / 255, 1.0)], (0, 1)),
    "used twice": (lambda: [lambda x: layers.Concatenate()([layers.Rescaling(1 / 255)(x), x])], (0, 1)),
    "after a crop": (lambda: [layers.RandomCrop(6, 6), layers.Rescaling(1 / 255)], (0, 1)),
    "of its square": (lambda: [lambda x: x * x, layers.Rescaling(1 / 255)], (0, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", list(FOUND))
def test_what_scales_the_pixels_is_found_and_taken_off_without_loss(tmp_path: Path, name: str) -> None:
    keras.utils.set_random_seed(1)
    make, (mean, std) = FOUND[name]
    build(*make()).save(tmp_path / "m.keras")
    spec = ModelSpec("m", ("a", "b", "c"), InputSpec(8, 8), "logits")
    source = Source(KerasFile(tmp_path / "m.keras"), spec, (), (), {}, 0.0, 1.0)
    found = find_leading(source.model.network, RAW)
    assert (found.affine.mean, found.affine.std) == pytest.approx((mean, std))
    # Refuses by itself when the rest, fed with scaled pixels, answers otherwise than the whole.
    fixed, affine = network.fix_model(source, strip=True)
    probabilities = run_model(fixed, affine(source.reference.images))
    np.testing.assert_allclose(probabilities, source.reference.probabilities, atol=1e-4)
    names = [
        layer.name for layer in fixed._flatten_layers(include_self=False) if layer.weights and layer.name != "body"
    ]
    assert names
    assert any(name.startswith("conv2d") and name.endswith(".") for name in names)


def test_the_scale_outside_comes_first() -> None:
    model = build(layers.Rescaling(2.0, -1.0))
    found = find_leading(model, Affine(0.0, 255.0)).affine
    assert (found.mean, found.std) == pytest.approx((127.5, 127.5))
