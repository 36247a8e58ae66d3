"""Recognises by its content what was given instead of a `.keras` file of stock layers, and says how to get one.

Reads names and metadata only: nothing in the file is run.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_runtime.errors import MissingInputError, ModelError

_HDF5 = b"\x89HDF\r\n\x1a\n"
_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
_CODE_REMEDY = "Replace it with stock layers (Rescaling, Activation, keras.ops) and save the model again."
_TO_ONNX = "torch.onnx.export(model, images, 'model.onnx')"
_FROM_ONNX = (
    "turn it into a full-integer .tflite with `onnx2tf -i {name} -oiqt`, which the device runs with "
    "`edge-runtime classify --model FILE.tflite --labels labels.txt`"
)


def expect_keras_file(path: Path) -> None:
    """Returns if ``path`` is a `.keras` file whose layers, judged by their names, are all stock ones.

    Raises:
        MissingInputError: there is no such file.
        ModelError: it is something else, named together with the command that makes a `.keras` file of it; or some of
            its layers, which are named, are not stock ones.
    """
    if path.is_dir():
        raise ModelError(_name_folder(path))
    if not path.is_file():
        raise MissingInputError(f"There is no Keras model {path}; check the path.")
    with path.open("rb") as file:
        beginning = file.read(512)
    if not beginning.startswith(b"PK\x03\x04"):
        raise ModelError(_name_file(path, beginning))
    _expect_stock_layers(path, _read_archive(path))


def _name_folder(path: Path) -> str:
    if (path / "model.keras").is_file():
        return (
            f"{path} is a run directory, which holds its labels and images itself: leave --labels and --calibration "
            f"out, or give {path / 'model.keras'}."
        )
    if (path / "saved_model.pb").is_file():
        if (path / "keras_metadata.pb").is_file():
            return (
                f"{path} is a SavedModel that Keras 2 wrote, expected a .keras file. In an environment with tf-keras: "
                f'`tf_keras.models.load_model("{path}").save("model.h5")`, then here: {_from_hdf5("model.h5")}.'
            )
        return (
            f"{path} is a SavedModel, which holds a graph and no layers; expected a .keras file. Where the model was "
            'made, write it with `model.save("model.keras")` instead of `model.export(...)`.'
        )
    return f"{path} is a folder without model.keras or saved_model.pb, expected a run directory or a .keras file."


def _from_hdf5(name: str, target: str | None = None) -> str:
    target = target or str(Path(name).with_suffix(".keras"))
    return f'`keras.models.load_model("{name}").save("{target}")`'


def _name_file(path: Path, beginning: bytes) -> str:
    name = path.name
    if beginning.startswith(_HDF5):
        return _name_hdf5(path)
    if not beginning:
        return f"{path} is empty, expected a .keras file. Copy it again."
    if beginning.startswith(b"version https://git-lfs"):
        return f"{path} is a Git LFS pointer, not the model itself; fetch that with `git lfs pull`."
    if beginning[4:8] == b"TFL3":
        return (
            f"{path} is a .tflite file, so it is already converted: `edge-runtime classify --model {name}` runs it, "
            "and `python -m convert.pack` makes it smaller."
        )
    if path.suffix == ".onnx" or (beginning[:1] == b"\x08" and beginning[2:3] in (b"\x12", b"\x1a", b"\x22", b"\x3a")):
        return f"{path} is an ONNX model, expected a .keras file: {_FROM_ONNX.format(name=name)}."
    if path.suffix == ".pb":
        return f"{path} is a TensorFlow graph, expected a .keras file: write it with `model.save('model.keras')`."
    if path.suffix in (".pt", ".pth", ".pkl") or beginning.startswith((b"\x80\x02", b"\x80\x04", b"\x80\x05")):
        return f"{path} is a PyTorch model or a pickle, expected a .keras file: {_from_torch()}."
    if path.suffix == ".json" or beginning.lstrip()[:1] == b"{":
        return (
            f"{path} is a model's architecture without its weights, expected a .keras file: "
            "`keras.models.model_from_json(text)`, then `load_weights(...)` and `save('model.keras')`."
        )
    return f"{path} is not a .keras file (it begins with {beginning[:4]!r}, expected a zip). Copy or save it again."


def _from_torch() -> str:
    return f"export it with `{_TO_ONNX}`, then {_FROM_ONNX.format(name='model.onnx')}"


def _name_hdf5(path: Path) -> str:
    import h5py

    try:
        with h5py.File(path) as file:
            if "model_config" not in file.attrs:
                return (
                    f"{path} holds weights without a model (HDF5 without model_config), expected a .keras file. Build "
                    f"the network, then `model.load_weights({path.name!r})` and `model.save('model.keras')`."
                )
            config = json.loads(file.attrs["model_config"])
    except (OSError, ValueError) as error:
        return f"{path} is a damaged HDF5 file ({error}), expected a .keras file. Copy it again."
    if described := _describe([*_foreign_layers(config), *_unknown_layers(config)]):
        return f"{path} {described}"
    if path.suffix == ".keras":
        renamed = f"{path.stem}.h5"
        return (
            f"{path} is an HDF5 file that was renamed, expected a .keras file. Name it {renamed} again, then "
            f"{_from_hdf5(renamed)}."
        )
    return f"{path} is an HDF5 file, expected a .keras file: {_from_hdf5(path.name)}."


def _read_archive(path: Path) -> dict[str, Any]:
    """The configuration inside a `.keras` archive. Raises ModelError where there is none that Keras 3 reads."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            if "config.json" not in members:
                if any(member.endswith("data.pkl") for member in members):
                    raise ModelError(f"{path} is a PyTorch model, expected a .keras file: {_from_torch()}.")
                raise ModelError(f"{path} is a zip without config.json, expected a .keras file; unpack it first.")
            metadata = json.loads(archive.read("metadata.json")) if "metadata.json" in members else {}
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise ModelError(
            f"{path} was cut short or is damaged ({error}), expected a .keras file. Copy it again."
        ) from error
    version = str(metadata.get("keras_version", "3"))
    if version.startswith("2."):
        raise ModelError(
            f"{path} was written by Keras {version}, expected Keras 3. In an environment with tf-keras: "
            f'`tf_keras.models.load_model("{path.name}").save("model.h5")`, then here: {_from_hdf5("model.h5")}.'
        )
    return config if isinstance(config, dict) else {}


def _expect_stock_layers(path: Path, config: dict[str, Any]) -> None:
    described = _describe(list(_foreign_layers({key: part for key, part in config.items() if key != "compile_config"})))
    if described:
        raise ModelError(f"{path} {described}")


def _foreign_layers(value: Any) -> Iterator[tuple[str, str]]:
    """(class, layer name) of everything in a configuration that holds code or is not part of Keras."""
    if isinstance(value, dict):
        kind, module = value.get("class_name"), value.get("module")
        if isinstance(kind, str) and isinstance(value.get("config"), dict):
            registered = value.get("registered_name") or ""
            own = (isinstance(module, str) and not module.startswith("keras")) or (">" in registered and not module)
            unnamed = module is None and "module" in value
            if kind in _CODE or own or (unnamed and (registered != kind or not _is_stock(kind))):
                yield kind, str(value["config"].get("name", ""))
        elif kind == "function" and isinstance(value.get("config"), str):
            yield f"{kind} {value['config'].rpartition('>')[2]}", ""
        for part in value.values():
            yield from _foreign_layers(part)
    elif isinstance(value, list):
        for part in value:
            yield from _foreign_layers(part)


def _is_stock(kind: str) -> bool:
    import keras

    return kind in ("Functional", "Model", "Sequential") or hasattr(keras.layers, kind)


def _unknown_layers(config: Any) -> Iterator[tuple[str, str]]:
    """Like `_foreign_layers`, for files of Keras 2, which name no modules: everything that Keras 3 has no layer for."""
    if isinstance(config, dict):
        kind, inner = config.get("class_name"), config.get("config")
        layers = inner.get("layers", ()) if isinstance(inner, dict) else ()
        if isinstance(kind, str) and not _is_stock(kind):
            yield kind, str(inner.get("name", "")) if isinstance(inner, dict) else ""
        for layer in layers:
            yield from _unknown_layers(layer)


def _say_own(kinds: list[str]) -> str:
    functions = [kind for kind in kinds if kind.startswith("function ")]
    classes = [kind for kind in kinds if kind not in functions]
    return ", ".join(
        [*([f"the class {', '.join(classes)}"] if classes else []), *(f"the {kind}" for kind in functions)]
    )


def _describe(found: list[tuple[str, str]]) -> str:
    """What is wrong with the (class, layer name) pairs ``found``, for after the file's name; "" for none."""
    code = [f"{kind} ({name})" if name else kind for kind, name in dict.fromkeys(found) if kind in _CODE]
    if code:
        return (
            f"holds {', '.join(code[:5])}, which is code that this program does not run; expected stock Keras layers "
            f"only. {_CODE_REMEDY}"
        )
    own = list(dict.fromkeys(kind for kind, _ in found))
    if own:
        names = ", ".join(name for _, name in dict.fromkeys(found) if name)
        where = f" (layer {names})" if names else ""
        return (
            f"needs {_say_own(own[:5])}, which is not part of Keras{where}; expected "
            "stock Keras layers only. Build the model from stock layers that compute the same, "
            "`set_weights(trained.get_weights())`, and save that."
        )
    return ""
