"""The architectures have the sizes that they claim, stock layers, short names and raw pixels as input."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.contract import InputSpec
from edge_runtime.errors import UsageError

keras = pytest.importorskip("keras", reason="needs TensorFlow, the workstation's environment")
pytestmark = pytest.mark.tensorflow

from train.models import MODELS, build_model  # noqa: E402
from train.scratch.training_copy import FusedBatchNormalization, clone_for_training  # noqa: E402


def multiply_accumulates(model: keras.Model) -> int:
    """MACs of convolutions and dense layers; elementwise work is not counted."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2D | keras.layers.Dense):
            total += int(np.prod(layer.output.shape[1:-1])) * int(np.prod(layer.kernel.shape))
    return total


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [("resnet8", 78_666, 12_501_632), ("micro", 69_594, 8_660_064), ("small", 465_194, 73_171_904)],
)
def test_an_architecture_has_its_published_size(name: str, parameters: int, macs: int) -> None:
    model = build_model(name, InputSpec(32, 32), 10)
    assert model.count_params() == parameters
    assert multiply_accumulates(model) == macs


@pytest.mark.parametrize(("size", "parameters"), [(32, 282_250), (64, 1_068_682)])
def test_seed_cnn_works_at_any_size(size: int, parameters: int) -> None:
    model = build_model("seed_cnn", InputSpec(size, size), 10)
    assert model.count_params() == parameters
    assert model(np.zeros((2, size, size, 3), np.float32)).shape == (2, 10)


def test_an_input_that_two_poolings_would_swallow_is_refused() -> None:
    with pytest.raises(UsageError, match=r"input is 3x8 but seed_cnn needs at least 4x4"):
        build_model("seed_cnn", InputSpec(3, 8), 10)


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(UsageError, match=r"There is no model 'vgg', expected one of seed_cnn, resnet8, micro"):
        build_model("vgg", InputSpec(32, 32), 10)


@pytest.mark.parametrize("name", MODELS)
def test_the_first_layer_is_the_normalisation_and_the_last_gives_logits(name: str) -> None:
    model = build_model(name, InputSpec(16, 24), 3)
    assert model.input.shape == (None, 16, 24, 3)
    first, last = model.layers[1], model.layers[-1]
    assert (type(first), first.scale, first.offset) == (keras.layers.Rescaling, 1 / 128, -127 / 128)
    assert last.name == "logits"
    assert last.activation is keras.activations.linear


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_is_stock_and_has_a_short_name(name: str) -> None:
    for layer in build_model(name, InputSpec(32, 32), 10).layers:
        assert type(layer).__module__.startswith("keras.")
        assert len(layer.name) <= 12


def test_the_fused_batch_norm_trains_and_infers_as_the_stock_layer() -> None:
    pixels = keras.Input((6, 5, 3))
    stock = keras.Model(pixels, keras.layers.BatchNormalization(name="bn")(pixels))
    fused = clone_for_training(stock)
    assert type(fused.layers[1]) is FusedBatchNormalization
    x = np.random.default_rng(0).normal(3, 2, (4, 6, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(fused(x, training=True), stock(x, training=True), rtol=1e-4, atol=1e-4)
    for mine, theirs in zip(fused.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4)
    np.testing.assert_allclose(fused(x), stock(x), rtol=1e-4, atol=1e-4)


def test_in_bfloat16_the_bulk_is_computed_so_and_weights_pixels_and_logits_are_not() -> None:
    stock = build_model("micro", InputSpec(16, 16), 3)
    halved, whole = clone_for_training(stock, "bfloat16"), clone_for_training(stock)
    computed = {layer.name: layer.compute_dtype for layer in halved.layers}
    assert {computed[name] for name in ("stem", "b1_in_bn", "b1_in_relu", "b2_add")} == {"bfloat16"}
    assert {computed[name] for name in ("pixels", "normalize", "b1_dw", "pool", "logits")} == {"float32"}
    assert {weight.dtype for weight in halved.weights} == {"float32"}
    x = np.random.default_rng(0).integers(0, 256, (32, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(halved(x, training=True), whole(x, training=True), atol=0.1)
    assert not np.array_equal(halved(x, training=True), whole(x, training=True))
    for mine, theirs in zip(halved.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0.05, atol=0.02)
