"""What a model's outputs mean is read from its graph and measured on images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convert.inputs.answers import find_meaning, run_model, to_probabilities
from edge_runtime.errors import ModelError

pytestmark = pytest.mark.tensorflow
INPUTS = np.random.default_rng(0).normal(size=(9, 8, 8, 3)).astype(np.float32)


def classifier(head: Callable[[Any, Any], Any], outputs: int = 4, **settings: Any) -> Any:
    import keras

    keras.utils.set_random_seed(3)
    image = keras.Input((8, 8, 3), **settings)
    features = keras.layers.Flatten()(image)
    return keras.Model(image, head(keras.layers.Dense(outputs), features))


def heads() -> dict[str, tuple[Callable[[Any, Any], Any], str]]:
    import keras

    layers, ops = keras.layers, keras.ops
    return {
        "logits": (lambda dense, x: dense(x), "logits"),
        "softmax activation": (lambda dense, x: layers.Dense(4, activation="softmax")(x), "probabilities"),
        "softmax, reshape": (lambda dense, x: layers.Reshape((4,))(layers.Softmax()(dense(x))), "probabilities"),
        "softmax, dropout": (lambda dense, x: layers.Dropout(0.5)(layers.Softmax()(dense(x))), "probabilities"),
        "softmax, linear": (lambda dense, x: layers.Activation("linear")(layers.Softmax()(dense(x))), "probabilities"),
        "softmax, flatten": (
            lambda dense, x: layers.Flatten()(layers.Reshape((1, 4))(layers.Softmax()(dense(x)))),
            "probabilities",
        ),
        "softmax operation": (lambda dense, x: ops.softmax(dense(x)), "probabilities"),
        "mean of two": (
            lambda dense, x: layers.Average()([ops.softmax(dense(x)), ops.softmax(layers.Dense(4)(x))]),
            "probabilities",
        ),
        "sigmoids": (lambda dense, x: layers.Dense(4, activation="sigmoid")(x), "probabilities"),
        "sigmoid operation": (lambda dense, x: ops.sigmoid(dense(x)), "probabilities"),
        "log softmax": (lambda dense, x: ops.log_softmax(dense(x)), "logits"),
        "ReLU": (lambda dense, x: layers.Dense(4, activation="relu")(0.001 * x), "logits"),
    }


@pytest.mark.parametrize("name", list(heads()))
def test_the_meaning_of_an_output_is_what_the_model_does(name: str) -> None:
    head, meaning = heads()[name]
    assert find_meaning(classifier(head), INPUTS, name) == meaning


def test_a_classifier_inside_a_classifier_is_looked_into() -> None:
    import keras

    inner = classifier(lambda dense, x: keras.layers.Dense(4, activation="sigmoid")(x))
    image = keras.Input((8, 8, 3))
    assert find_meaning(keras.Model(image, inner(image)), INPUTS, "m") == "probabilities"


def test_one_output_is_two_classes_whether_logit_or_probability() -> None:
    import keras

    for head, meaning in (
        (lambda dense, x: keras.layers.Dense(1, activation="sigmoid")(x), "probabilities"),
        (lambda dense, x: dense(0.001 * x + 0.001), "logits"),
    ):
        assert find_meaning(classifier(head, 1), INPUTS, "m") == meaning
    np.testing.assert_allclose(to_probabilities(np.float32([[0.25]]), "probabilities"), [[0.75, 0.25]])
    np.testing.assert_allclose(to_probabilities(np.float32([[np.log(3)]]), "logits"), [[0.25, 0.75]], atol=1e-6)
    np.testing.assert_allclose(to_probabilities(np.float32([[0, np.log(3)]]), "logits"), [[0.25, 0.75]], atol=1e-6)


def test_a_softmax_over_something_else_is_refused() -> None:
    import keras

    model = classifier(
        lambda dense, x: keras.layers.Flatten()(keras.layers.Softmax()(keras.layers.Reshape((2, 2))(dense(x))))
    )
    with pytest.raises(ModelError, match=r"m ends in a softmax whose 4 outputs sum to 2\.000 .*expected 1"):
        find_meaning(model, INPUTS, "m")


def test_a_model_for_one_image_at_a_time_answers_all() -> None:
    model = classifier(lambda dense, x: dense(x), batch_size=1)
    assert run_model(model, INPUTS).shape == (9, 4)
