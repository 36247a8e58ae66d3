"""What a model's outputs mean is read from its graph and measured on images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
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
        "logarithm of a softmax": (lambda dense, x: ops.log(ops.softmax(dense(x)) + 1e-7), "logits"),
        "softmax kept off 0 and 1": (lambda dense, x: ops.clip(ops.softmax(dense(x)), 1e-7, 1 - 1e-7), "probabilities"),
        "logits kept within 8": (lambda dense, x: ops.clip(dense(x), -8, 8), "logits"),
        "temperature": (lambda dense, x: dense(x) / 5.0, "logits"),
        "temperature in a softmax": (lambda dense, x: ops.softmax(dense(x) / 3.0), "probabilities"),
        "small logits that happen to lie in 0..1": (lambda dense, x: dense(0.001 * x) * 0.01 + 0.5, "logits"),
        "batch norm": (lambda dense, x: layers.BatchNormalization()(dense(x)), "logits"),
        "softmax in half precision": (lambda dense, x: ops.cast(ops.softmax(dense(x)), "float16"), "probabilities"),
        "share of the sum": (
            lambda dense, x: (lambda y: y / ops.sum(y, axis=-1, keepdims=True))(ops.exp(dense(0.1 * x))),
            "probabilities",
        ),
        "distances with a minus": (lambda dense, x: -ops.square(dense(x) - 3.0), "logits"),
        "sum of two": (lambda dense, x: layers.Add()([dense(x), layers.Dense(4)(x)]), "logits"),
        "product of two levels": (
            lambda dense, x: layers.Multiply()(
                [ops.repeat(layers.Dense(2, activation="softmax")(x), 2, axis=1), _pairs(dense(x))]
            ),
            "probabilities",
        ),
        "pooled linear maps": (
            lambda dense, x: layers.GlobalAveragePooling2D()(layers.Reshape((1, 1, 4))(dense(0.001 * x))),
            "logits",
        ),
        "tanh": (lambda dense, x: layers.Dense(4, activation="tanh")(x), "logits"),
        "ReLU": (lambda dense, x: layers.Dense(4, activation="relu")(0.001 * x), "logits"),
    }


def _pairs(logits: Any) -> Any:
    """Two softmaxes, each over two of four logits."""
    import keras

    layers = keras.layers
    return layers.Flatten()(layers.Softmax()(layers.Reshape((2, 2))(logits)))


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


CLIPPED = (
    r"m ends in the operation clip\w*, which cuts its scores off \(0 to 1\): on \d of 9 images the best two .* equal"
)
REFUSED: dict[str, tuple[Callable[[Any, Any], Any], int, str]] = {
    "clipped": (
        lambda dense, x: keras().ops.clip(keras().layers.Dense(4, bias_initializer=high())(x), 0, 1),
        4,
        CLIPPED,
    ),
    "ReLU, mostly nothing": (
        lambda dense, x: keras().layers.ReLU(name="only")(dense(x) - 30.0),
        4,
        r"ends in the operation only, which cuts its scores off \(0 to inf\): on \d of 9 images",
    ),
    "activation of the last layer": (
        lambda dense, x: keras().layers.Dense(4, activation="relu6", name="head", bias_initializer=high())(x),
        4,
        r"ends in the activation relu6 of head, which cuts its scores off \(0 to 6\).*'head'\)\.activation = keras",
    ),
    "percent": (
        lambda dense, x: 100 * keras().ops.softmax(dense(x)),
        4,
        r"ends in the operation multiply\w*, which brings probabilities from 0 to 1 to 0 to 100",
    ),
    "255 levels": (
        lambda dense, x: keras().layers.Rescaling(255.0, name="levels")(keras().layers.Softmax(name="p")(dense(x))),
        4,
        r"ends in the operation levels, .*0 to 255; .*get_layer\('p'\)",
    ),
    "less the mean": (lambda dense, x: keras().ops.softmax(dense(x)) - 0.25, 4, r"from 0 to 1 to -0\.25 to 0\.75"),
    "taken from 1": (lambda dense, x: 1 - keras().ops.softmax(dense(x)), 4, "4 outputs that sum to 3 for every image"),
    "two levels side by side": (
        lambda dense, x: keras().layers.Concatenate()([keras().ops.softmax(dense(x)), keras().ops.softmax(-dense(x))]),
        4,
        r"8 outputs that sum to 2 for every image; .*several distributions side by side",
    ),
    "powers": (lambda dense, x: keras().ops.exp(dense(x)), 4, r"operation exp\w*, whose outputs do not sum to 1"),
    "softmax twice": (
        lambda dense, x: keras().ops.softmax(keras().ops.softmax(dense(x))),
        12,
        r"ends in a softmax over values 0 to 1, so the best of 12 classes never leads the second by more than 0\.13",
    ),
    "softmax over sigmoids": (
        lambda dense, x: keras().layers.Softmax()(keras().layers.Dense(12, activation="sigmoid")(x)),
        12,
        "softmax over values 0 to 1",
    ),
    "tanh of many": (
        lambda dense, x: keras().layers.Dense(60, activation="tanh")(x),
        60,
        r"gives logits -1 to 1, so the best of 60 classes never leads the second by more than 0\.10; expected 0\.2",
    ),
    "one output, percent": (
        lambda dense, x: keras().ops.sigmoid(dense(x)) * 100,
        1,
        "brings probabilities from 0 to 1 to 0 to 100",
    ),
    "one output, ReLU": (
        lambda dense, x: keras().ops.relu(dense(x)),
        1,
        r"one output, which the operation relu\w* never lets get below 0; .* its logit",
    ),
    "one output, logarithm": (
        lambda dense, x: keras().ops.log_sigmoid(dense(x)),
        1,
        r"one output, which the operation log_sigmoid\w* never lets get above 0",
    ),
}


def keras() -> Any:
    import keras

    return keras


def high() -> Any:
    """A bias that lifts all outputs above 6."""
    return keras().initializers.Constant(30.0)


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_is_neither_logits_nor_probabilities_is_named(name: str) -> None:
    head, outputs, message = REFUSED[name]
    with pytest.raises(ModelError, match=message):
        find_meaning(classifier(head, outputs), INPUTS, "m")


@pytest.mark.parametrize(
    "name", ["clipped", "activation of the last layer", "255 levels", "powers", "one output, ReLU"]
)
def test_the_line_that_takes_the_last_operation_off_works(name: str, tmp_path: Path) -> None:
    head, outputs, _ = REFUSED[name]
    model = classifier(head, outputs)
    with pytest.raises(ModelError) as refusal:
        find_meaning(model, INPUTS, "m")
    line = str(refusal.value).rpartition("save that: ")[2].rstrip(".")
    names = {"model": model, "keras": keras()}
    if " = " in line:
        exec(line, names)
    else:
        names["model"] = eval(line, names)
    names["model"].save(tmp_path / "m.keras")
    again = keras().models.load_model(tmp_path / "m.keras")
    assert find_meaning(again, INPUTS, "m") == ("probabilities" if name == "255 levels" else "logits")


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
