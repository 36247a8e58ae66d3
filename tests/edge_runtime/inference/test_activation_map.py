"""The map of a class is where its logit comes from: the cells and the bias sum to it, on every backend, and the file and
its answers stay as they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge_runtime.errors import ModelError
from edge_runtime.inference.activation_map import ActivationMap, make_class_mapper
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import Interpreter, list_available_backends
from edge_runtime.model.flatbuffer import Table
from edge_runtime.model.inner_tensors import find_features, read_constant, read_scale
from edge_runtime.model.model_file import ModelFile, open_model, read_model
from edge_runtime.model.stated_input import StatedInput

SHIPPED = ("default", "small", "resnet8")
# Of TensorFlow's schema.
SOFTMAX = 25


def random_frames(number: int, height: int, width: int) -> list[np.ndarray]:
    """Flat colours and noise, so that features are small and large."""
    random = np.random.default_rng(0)
    return [
        np.clip(random.integers(0, 256, 3) + random.normal(0, 20 * index, (height, width, 3)), 0, 255).astype(np.uint8)
        for index in range(number)
    ]


def find_logits(flatbuffer: bytes) -> int:
    """The tensor that the softmax at the end reads."""
    model = Table.root(flatbuffer)
    codes = [max(code.scalar(0, "b"), code.scalar(3, "i")) for code in model.tables(1)]
    operators = model.tables(2)[0].tables(3)
    return next(each.numbers(1, "i")[0] for each in operators if codes[each.scalar(0, "I")] == SOFTMAX)


@pytest.mark.parametrize("backend", list_available_backends())
@pytest.mark.parametrize("name", SHIPPED)
def test_cells_and_bias_sum_to_the_logit_but_for_rounding(name: str, backend: str) -> None:
    model = open_model(name)
    found, mapper = find_features(model.flatbuffer), make_class_mapper(model.flatbuffer, 10)
    assert found is not None and mapper is not None and found.feature_map is not None
    logits = find_logits(model.flatbuffer)
    interpreter = Interpreter(model.flatbuffer, backend, extra_outputs=(found.feature_map, logits))
    feature_step, _ = read_scale(model.flatbuffer, found.tensor)
    logit_step, zero_point = read_scale(model.flatbuffer, logits)
    weights = read_constant(model.flatbuffer, found.weights)
    assert weights is not None
    # Each pooled feature is rounded once, and so is the logit; one step more of it is what kernels differ in.
    slack = 0.5 * feature_step * np.abs(weights.reshape(10, -1)).sum(axis=1) + 1.5 * logit_step
    shape = model.contract.input_tensor.shape[1:3]
    farthest = 0.0
    for image in random_frames(8, *shape):
        interpreter.invoke(image)
        features, stored = interpreter.extra(0, np.float32), interpreter.extra(1).reshape(-1)
        for index in range(10):
            found_map = mapper.map_class(features, index)
            distance = found_map.cells.sum() + found_map.bias - (int(stored[index]) - zero_point) * logit_step
            assert abs(distance) <= slack[index]
            farthest = max(farthest, abs(distance) / logit_step)
    assert farthest < 4, "rounding is much less than its bound: errors of features cancel"


@pytest.mark.parametrize("backend", list_available_backends())
def test_answers_are_the_same_with_maps_and_without(backend: str) -> None:
    plain, mapped = Classifier("default", backend=backend), Classifier("default", backend=backend, maps=True)
    assert mapped.has_maps and not plain.has_maps
    for frame in random_frames(10, 48, 64):
        np.testing.assert_array_equal(plain.raw_output(frame), mapped.raw_output(frame))


def test_a_map_says_where_the_colour_is(toy_model: ModelFile) -> None:
    classifier = Classifier(toy_model, maps=True)
    frame = np.zeros((8, 8, 3), np.uint8)
    frame[2:4, 5:7, 2] = 255  # red, in BGR
    prediction = classifier.classify(frame)
    assert prediction.top[0].label == "red"
    shares = classifier.last_map(prediction.index).shares()
    expected = np.zeros((8, 8), bool)
    expected[2:4, 5:7] = True
    np.testing.assert_array_equal(shares > 0.5, expected)
    assert shares.max() == 1.0


def test_a_map_that_speaks_against_the_class_everywhere_is_empty() -> None:
    found = ActivationMap(0, np.full((2, 3), -1, np.float32), 5.0)
    np.testing.assert_array_equal(found.shares(), np.zeros((2, 3), np.float32))


def test_a_model_without_that_structure_says_so(toy_bytes: Callable[[str], bytes], toy_model: ModelFile) -> None:
    stated = StatedInput.parse(normalize="-1..1")
    floating = Classifier(read_model(toy_bytes("float32"), "toy", "red\ngreen\nblue", stated=stated), maps=True)
    assert not floating.has_maps
    for classifier in (floating, Classifier(toy_model)):
        classifier.classify(np.zeros((8, 8, 3), np.uint8))
        with pytest.raises(ModelError, match="cannot show where it looked: expected an integer model that ends in glo"):
            classifier.last_map(0)


def test_neighbours_and_maps_are_read_from_their_own_tensors() -> None:
    """Both are extra outputs: the features stay those of the neighbours."""
    model = open_model("default")
    found = find_features(model.flatbuffer)
    assert found is not None and found.feature_map is not None
    interpreter = Interpreter(model.flatbuffer, extra_outputs=(found.tensor, found.feature_map))
    interpreter.invoke(random_frames(2, 32, 32)[1])
    features, mapped = interpreter.extra(0).reshape(-1), interpreter.extra(1, np.float32)
    feature_step, zero_point = read_scale(model.flatbuffer, found.tensor)
    map_step, map_zero_point = read_scale(model.flatbuffer, found.feature_map)
    means = (mapped[0].mean(axis=(0, 1)) - map_zero_point) * map_step
    assert np.abs(means - (features.astype(float) - zero_point) * feature_step).max() <= 1.01 * feature_step


def test_constants_that_are_no_numbers_of_a_dense_layer_give_none() -> None:
    model = open_model("default")
    found = find_features(model.flatbuffer)
    assert found is not None and found.feature_map is not None
    assert read_constant(model.flatbuffer, found.feature_map) is None, "a tensor that is computed holds no constant"
    assert make_class_mapper(model.flatbuffer, 11) is None, "the dense layer has 10 classes"
    weights = read_constant(model.flatbuffer, found.weights)
    assert weights is not None and weights.shape == (10, found.width) and 0 < np.abs(weights).max() < 100


def test_a_tensor_without_one_scale_has_none_to_read() -> None:
    model = open_model("default")
    codes = Table.root(model.flatbuffer).tables(2)[0].tables(0)
    many = next(
        index
        for index, tensor in enumerate(codes)
        if (quantization := tensor.table(4)) and len(quantization.numbers(2, "f")) > 1
    )
    with pytest.raises(ModelError, match=rf"Tensor {many} has \d+ scales, expected 1"):
        read_scale(model.flatbuffer, many)
