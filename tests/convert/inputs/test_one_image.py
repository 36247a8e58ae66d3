"""A model of other shapes than an image to a row of scores is told how to get these; what it is told works."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.config import ForeignModel
from convert.inputs.keras_file import read_keras_file
from convert.inputs.keras_model import KerasFile, load_network
from edge_runtime.errors import ModelError

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow


def keras() -> Any:
    import keras

    return keras


def model_of(shape: tuple[int | None, ...], *before: Any, outputs: int = 3, **more: Any) -> Any:
    """A classifier of ``shape`` whose input goes through ``before``."""
    x = image = keras().Input(shape, **more)
    for layer in before:
        x = layer(x)
    return keras().Model(image, keras().layers.Dense(outputs, name="head")(keras().layers.Flatten()(x)))


def save(model: Any, folder: Path) -> Path:
    model.save(folder / "m.keras")
    return folder / "m.keras"


def extended(make: Callable[[Any], Any], outputs: int = 3) -> Any:
    model = model_of((8, 8, 3), outputs=outputs)
    return keras().Model(model.input, make(model.output))


MENDED: dict[str, Callable[[], Any]] = {
    "channels first": lambda: model_of((3, 8, 9)),
    "grey without channels": lambda: model_of((8, 9)),
    "a row of grey pixels": lambda: model_of((784,)),
    "a row of colour pixels": lambda: model_of((192,)),
    "number of the class": lambda: extended(lambda x: keras().ops.argmax(x, axis=-1)),
    "one number": lambda: extended(lambda x: keras().ops.squeeze(keras().ops.sigmoid(x), -1), 1),
    "two outputs": lambda: extended(lambda x: [x, keras().layers.Dense(2)(x)]),
    "two outputs by name": lambda: extended(lambda x: {"a": x, "b": keras().layers.Dense(2)(x)}),
}


@pytest.mark.parametrize("name", list(MENDED))
def test_the_line_that_changes_a_shape_works(name: str, tmp_path: Path) -> None:
    model = MENDED[name]()
    with pytest.raises(ModelError, match=r"maps .* to .*, expected one image") as refusal:
        load_network(save(model, tmp_path))
    line = str(refusal.value).rpartition(": ")[2].rstrip(".") if "save that: image" not in str(refusal.value) else ""
    names = {"model": model, "keras": keras()}
    if line:
        changed = eval(line, names)
    else:
        first, _, last = str(refusal.value).rpartition("save that: ")[2].rstrip(".").partition("; ")
        exec(first, names)
        changed = eval(last, names)
    found = load_network(save(changed, tmp_path))
    assert len(found.input_shape) == 4 and found.input_shape[3] in (1, 3) and len(found.output_shape) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: model_of((8, 8, 4)), "Images have no transparency here: train it on three channels"),
        (
            lambda: keras().Model(image := keras().Input((8, 8, 3)), keras().layers.Conv2D(4, 1)(image)),
            r"It gives a map of scores: this program names whole images",
        ),
        (
            lambda: keras().Model(
                [image := keras().Input((8, 8, 3)), other := keras().Input((4,))],
                keras().layers.Dense(3)(keras().layers.Concatenate()([keras().layers.Flatten()(image), other])),
            ),
            "A camera gives an image and nothing else: build a model with that input alone",
        ),
        (
            lambda: keras().Sequential([keras().layers.Flatten(), keras().layers.Dense(4)]),
            r"has no input shape yet, expected one: .*keras\.Input\(\(height, width, 3\)\)",
        ),
    ],
)
def test_what_no_line_changes_is_said(make: Callable[[], Any], message: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of saving a model without weights
        path = save(make(), tmp_path)
    with pytest.raises(ModelError, match=message):
        load_network(path)


def test_one_output_for_more_than_two_labels_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    foreign = ForeignModel(labels=tmp_path / "labels.txt", calibration=tmp_path)
    with pytest.raises(ModelError, match=r"stands for 2 classes but there are 3 labels.* Its one output tells two"):
        read_keras_file(save(model_of((8, 8, 3), outputs=1), tmp_path), foreign)


def test_a_single_input_or_output_in_a_list_or_a_dictionary_is_taken_out(tmp_path: Path) -> None:
    plain = model_of((8, 8, 3), name="image")
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    for taken, given in (
        ({"image": plain.input}, {"scores": plain.output}),
        ([plain.input], [plain.output]),
        (plain.input, {"scores": plain.output}),
    ):
        network = KerasFile(save(keras().Model(taken, given), tmp_path)).network
        np.testing.assert_allclose(np.asarray(network(images)), np.asarray(plain(images)), rtol=1e-5)


def test_own_classes_and_functions_are_in_the_text(tmp_path: Path) -> None:
    class Net(keras().Model):  # type: ignore[misc]
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.head = keras().layers.Dense(4)

        def call(self, images: Any) -> Any:
            return self.head(images)

    def wobble(x: Any) -> Any:
        return x * keras().ops.sigmoid(x)

    net = Net()
    net(np.zeros((1, 8, 8, 3), np.float32))
    with pytest.raises(ModelError, match="needs the class Net, which is not part of Keras"):
        load_network(save(net, tmp_path))
    model = model_of((8, 8, 3), keras().layers.Conv2D(2, 3, activation=wobble))
    with pytest.raises(ModelError, match="needs the function wobble, which is not part of Keras"):
        load_network(save(model, tmp_path))
