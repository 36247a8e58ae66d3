"""Whatever is given instead of a `.keras` file of stock layers is named, with the command that makes one of it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from convert.inputs.wrong_model import expect_keras_file
from edge_runtime.errors import MissingInputError, ModelError

DENSE = {"class_name": "Dense", "module": "keras.layers", "registered_name": None, "config": {"name": "dense"}}


def write_archive(path: Path, *layers: dict, version: str = "3.15.0", **more: object) -> Path:
    config = {"class_name": "Functional", "module": "keras.src.models.functional", "config": {"layers": list(layers)}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", json.dumps({**config, "registered_name": "Functional", **more}))
        archive.writestr("model.weights.h5", b"")
    return path


def write_hdf5(path: Path, *layers: dict, with_model: bool = True) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        if with_model:
            file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": {"layers": list(layers)}})
    return path


def test_stock_layers_are_accepted_whatever_the_training_used(tmp_path: Path) -> None:
    trained = {"loss": {"class_name": "MyLoss", "module": "mine", "registered_name": "MyLoss", "config": {}}}
    path = write_archive(tmp_path / "m.keras", DENSE, compile_config=trained)
    assert expect_keras_file(path) is None  # it raises for a file that it refuses


@pytest.mark.tensorflow
def test_an_hdf5_file_is_named_with_the_line_that_saves_it_anew(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r'm\.h5 is an HDF5 file.*`keras\.models\.load_model\("m\.h5"\)\.save\("m\.keras"\)`'
    ):
        expect_keras_file(write_hdf5(tmp_path / "m.h5", {"class_name": "Dense", "config": {"name": "dense"}}))
    with pytest.raises(
        ModelError, match=r'that was renamed.*Name it m\.h5 again, then `keras\.models\.load_model\("m\.h5"\)'
    ):
        expect_keras_file(write_hdf5(tmp_path / "m.keras"))
    with pytest.raises(ModelError, match=r"weights without a model.*model\.load_weights\('w\.h5'\)"):
        expect_keras_file(write_hdf5(tmp_path / "w.h5", with_model=False))
    with pytest.raises(ModelError, match=r"holds Lambda \(twice\), which is code"):
        expect_keras_file(write_hdf5(tmp_path / "c.h5", {"class_name": "Lambda", "config": {"name": "twice"}}))
    with pytest.raises(ModelError, match=r"needs the class TFOpLambda, which is not part of Keras \(layer plus\)"):
        expect_keras_file(write_hdf5(tmp_path / "o.h5", {"class_name": "TFOpLambda", "config": {"name": "plus"}}))
    (tmp_path / "d.h5").write_bytes(b"\x89HDF\r\n\x1a\nrubbish")
    with pytest.raises(ModelError, match="is a damaged HDF5 file"):
        expect_keras_file(tmp_path / "d.h5")


def test_a_file_of_keras_2_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r'written by Keras 2\.15\.0, expected Keras 3.*tf_keras\.models\.load_model\("m\.keras"\)'
    ):
        expect_keras_file(write_archive(tmp_path / "m.keras", DENSE, version="2.15.0"))


def test_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is a folder without model\.keras or saved_model\.pb"):
        expect_keras_file(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(ModelError, match=r"is a SavedModel, which holds a graph and no layers"):
        expect_keras_file(tmp_path)
    (tmp_path / "keras_metadata.pb").write_bytes(b"")
    with pytest.raises(ModelError, match=r"is a SavedModel that Keras 2 wrote.*tf_keras\.models\.load_model"):
        expect_keras_file(tmp_path)
    (tmp_path / "model.keras").write_bytes(b"")
    with pytest.raises(ModelError, match=r"is a run directory.*leave --labels and --calibration out"):
        expect_keras_file(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("m.onnx", b"\x08\x07\x12\x07pytorch", "is an ONNX model.*`onnx2tf -i m.onnx -oiqt`"),
        ("m", b"\x08\x07\x12\x07pytorch", "is an ONNX model"),
        ("m.pt", b"\x80\x02}q\x00", "is a PyTorch model.*torch.onnx.export"),
        ("m.tflite", b"\x1c\x00\x00\x00TFL3", "is already converted: `edge-runtime classify --model m.tflite`"),
        ("m.pb", b"\x0a\x12", "is a TensorFlow graph"),
        ("m.json", b'{"class_name": "Functional"}', "architecture without its weights.*model_from_json"),
        ("m.keras", b"version https://git-lfs.github.com/spec/v1", "is a Git LFS pointer.*git lfs pull"),
        ("m.keras", b"", "is empty"),
        ("m.keras", b"hello", "is not a .keras file .*expected a zip"),
        ("m.keras", b"PK\x03\x04 cut", "was cut short or is damaged"),
    ],
)
def test_files_of_other_programs_are_named(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=expected):
        expect_keras_file(tmp_path / name)


def test_zips_of_other_programs_are_named(tmp_path: Path) -> None:
    for member, expected in (("model/data.pkl", "is a PyTorch model"), ("a.txt", r"is a zip without config\.json")):
        with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
            archive.writestr(member, b"")
        with pytest.raises(ModelError, match=expected):
            expect_keras_file(tmp_path / "m.keras")


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="There is no Keras model"):
        expect_keras_file(tmp_path / "m.keras")


@pytest.mark.parametrize("module", ["__main__", "mynet.layers", None])
def test_the_class_that_is_missing_is_in_the_text(tmp_path: Path, module: str | None) -> None:
    layer = {"class_name": "Gate", "module": module, "registered_name": "Custom>Gate", "config": {"name": "gate_1"}}
    with pytest.raises(ModelError, match=r"needs the class Gate, which is not part of Keras \(layer gate_1\)"):
        expect_keras_file(write_archive(tmp_path / "m.keras", DENSE, layer))


def test_layers_of_code_are_named_at_any_depth(tmp_path: Path) -> None:
    inner = {"class_name": "Lambda", "module": "keras.layers", "registered_name": None, "config": {"name": "halve"}}
    outer = {"class_name": "TimeDistributed", "module": "keras.layers", "config": {"name": "t", "layer": inner}}
    with pytest.raises(ModelError, match=r"holds Lambda \(halve\), which is code.*stock Keras layers only"):
        expect_keras_file(write_archive(tmp_path / "m.keras", outer))


@pytest.mark.tensorflow
def test_what_keras_itself_saves_is_told_apart(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")

    class Gate(keras.layers.Layer):
        def call(self, x: object) -> object:
            return x

    @keras.saving.register_keras_serializable("mine")
    class Known(Gate):
        pass

    def save(layer: object, name: str) -> Path:
        image = keras.Input((8, 8, 3))
        model = keras.Model(image, keras.layers.Flatten()(layer(image)))
        model.compile("adam", loss="mse")
        model.save(tmp_path / name)
        return tmp_path / name

    expect_keras_file(save(keras.layers.Conv2D(4, 3, activation="gelu", kernel_regularizer="l2"), "stock.keras"))
    for layer in (Gate(), Known()):
        with pytest.raises(ModelError, match=f"needs the class {type(layer).__name__}"):
            expect_keras_file(save(layer, "own.keras"))
    with pytest.raises(ModelError, match=r"holds Lambda \(twice\)"):
        expect_keras_file(save(keras.layers.Lambda(lambda x: x * 2, name="twice"), "code.keras"))
    with pytest.raises(ModelError, match="needs the class Gate"):
        expect_keras_file(save(Gate(), "own.h5"))
    with pytest.raises(ModelError, match="is an HDF5 file"):
        expect_keras_file(save(keras.layers.Conv2D(4, 3), "stock.h5"))


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
def test_recurrent_layers_and_quantised_weights_are_named(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    from convert.inputs.keras_model import load_network

    image = keras.Input((8, 8, 3))
    rows = keras.layers.LSTM(4, name="reader")(keras.layers.Reshape((8, 24))(image))
    keras.Model(image, keras.layers.Dense(2)(rows)).save(tmp_path / "rows.keras")
    with pytest.raises(ModelError, match=r"layer reader of type LSTM, which no full-integer file can hold.*Use Conv2D"):
        load_network(tmp_path / "rows.keras")
    flat = keras.layers.Flatten()(image)
    model = keras.Model(image, keras.layers.Dense(2, name="scores")(flat))
    model.quantize("int8")
    model.save(tmp_path / "int8.keras")
    with pytest.raises(
        ModelError, match=r"was quantised by model\.quantize\('int8'\) \(layer scores\).*before quantize"
    ):
        load_network(tmp_path / "int8.keras")


@pytest.mark.tensorflow
def test_a_model_of_open_size_is_given_one_as_the_error_says(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    from convert.inputs.keras_model import KerasFile, inspect_file

    image = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(keras.layers.Rescaling(1 / 255)(image)))
    model = keras.Model(image, keras.layers.Dense(2)(x))
    model.save(tmp_path / "open.keras")
    with pytest.raises(ModelError, match=r"open\.keras takes images of any size .*keras\.Input\(\(96, 96, 3\)\)"):
        inspect_file(KerasFile(tmp_path / "open.keras"))
    fixed = keras.models.clone_model(model, input_tensors=keras.Input((96, 96, 3)))
    fixed.set_weights(model.get_weights())
    fixed.save(tmp_path / "fixed.keras")
    found = inspect_file(KerasFile(tmp_path / "fixed.keras"))
    assert (found.height, found.width) == (96, 96)


@pytest.mark.tensorflow
def test_scores_in_another_form_than_one_row_are_refused_with_what_makes_one(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    from convert.inputs.keras_model import load_network

    image, other = keras.Input((8, 8, 3)), keras.Input((3,))
    row = keras.layers.Dense(2)(keras.layers.Flatten()(image))
    square = keras.Model(image, keras.layers.Reshape((1, 1, 2))(row))
    two = keras.Model(image, [row, keras.layers.Dense(3)(row)])
    for model, remedy, mended in (
        (
            square,
            r"Flatten it and save that: keras\.Model\(model\.input",
            lambda: keras.layers.Flatten(name="row")(square.output),
        ),
        (two, r"Keep the output that classifies.*model\.outputs\[0\]", lambda: two.outputs[0]),
    ):
        model.save(tmp_path / "odd.keras")
        with pytest.raises(ModelError, match=rf"to one row of scores \(n, classes\)\. {remedy}"):
            load_network(tmp_path / "odd.keras")
        keras.Model(model.input, mended()).save(tmp_path / "mended.keras")
        assert load_network(tmp_path / "mended.keras").output_shape == (None, 2)
    keras.Model([image, other], keras.layers.Concatenate()([row, other])).save(tmp_path / "both.keras")
    with pytest.raises(ModelError, match=r"scores \(n, classes\)\. A camera gives an image and nothing else"):
        load_network(tmp_path / "both.keras")
