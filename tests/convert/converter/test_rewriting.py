"""Whatever a rewriting of a model loses is noticed, because the model as loaded answers first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.converter import network
from convert.inputs.answers import run_model
from convert.inputs.keras_model import KerasFile
from convert.inputs.source import Source
from edge_runtime.contract import InputSpec, ModelSpec
from edge_runtime.errors import ModelError

keras: Any = pytest.importorskip("keras")
pytestmark = pytest.mark.tensorflow
LABELS = ("a", "b")


def source_of(path: Path, *layers: Any, output: str = "logits", mean: float = 0.0, std: float = 1.0) -> Source:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    for weights in model.weights:
        if weights.name == "kernel":
            weights.assign(weights * 3)
    model.save(path / "m.keras")
    return Source(KerasFile(path / "m.keras"), ModelSpec("m", LABELS, InputSpec(8, 8), output), (), (), {}, mean, std)


def adapted() -> Any:
    layer = keras.layers.Normalization(axis=-1)
    layer.adapt(np.random.default_rng(1).normal((120, 90, 60), (60, 40, 70), (50, 8, 8, 3)))
    return layer


def answers(source: Source, *, strip: bool) -> Any:
    fixed, affine = network.fix_model(source, strip=strip)
    images = source.reference.images
    return run_model(fixed, affine(images) if strip else images.astype(np.float32))


@pytest.mark.parametrize("strip", [True, False])
def test_adapted_statistics_come_along(tmp_path: Path, strip: bool) -> None:
    source = source_of(tmp_path, adapted(), keras.layers.Flatten(), keras.layers.Dense(2))
    np.testing.assert_allclose(answers(source, strip=strip), source.reference.probabilities, atol=1e-5)


def test_a_rewriting_that_loses_something_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(tmp_path, adapted(), keras.layers.Flatten(), keras.layers.Dense(2))
    monkeypatch.setattr(network, "_finish_layers", lambda model: None)
    with pytest.raises(ModelError, match=r"The rebuilt network gives [ab] .*as Keras loads it.*Normalization"):
        network.fix_model(source, strip=True)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16"])
def test_a_model_of_half_precision_is_rebuilt_in_float32(tmp_path: Path, policy: str) -> None:
    inner = keras.Sequential([keras.Input((6, 6, 4)), keras.layers.Conv2D(4, 3, dtype=policy)])
    source = source_of(
        tmp_path,
        keras.layers.Rescaling(1 / 255, dtype=policy),
        keras.layers.Conv2D(4, 3, activation="relu", dtype=policy),
        inner,
        keras.layers.Flatten(dtype=policy),
        keras.layers.Dense(2, dtype=policy),
    )
    fixed, _ = network.fix_model(source, strip=True)
    layers = fixed._flatten_layers(include_self=False, recursive=True)
    assert {layer.compute_dtype for layer in layers} == {"float32"}


@pytest.mark.parametrize(("activation", "output"), [("sigmoid", "probabilities"), (None, "logits")])
def test_one_output_becomes_two_classes(tmp_path: Path, activation: str | None, output: str) -> None:
    source = source_of(
        tmp_path,
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(1, activation=activation),
        output=output,
    )
    found = answers(source, strip=True)
    assert found.shape[1] == 2
    np.testing.assert_allclose(found, source.reference.probabilities, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
