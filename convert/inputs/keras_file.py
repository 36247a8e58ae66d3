"""Turns a `.keras` file not made by `train`, with its labels and image folders, into the `Source` that a run gives."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convert.config import ForeignModel
from convert.inputs.adapting import Pixels
from convert.inputs.answers import find_meaning
from convert.inputs.keras_model import KerasFile, inspect_file
from convert.inputs.source import NUM_REFERENCES, ImageEntry, Source, make_entry, normalize
from convert.output.progress import stage
from edge_runtime.contract import InputSpec, ModelSpec
from edge_runtime.errors import DataError, MissingInputError, ModelError
from edge_runtime.model.labels.text import decode_labels, read_labels
from edge_runtime.pixels.image_file import IMAGE_SUFFIXES, is_visible, list_files, list_images
from edge_runtime.pixels.preprocess import preprocess
from edge_runtime.system.printable import compose_name


def read_keras_file(path: Path, foreign: ForeignModel, name: str | None = None) -> Source:
    """The model at ``path`` with what ``foreign`` says about it; it has the file's name unless ``name`` is given.

    Raises:
        MissingInputError: the model, the label file or a folder is not there.
        ModelError: the model is not an image classifier of stock layers, or the labels do not fit it.
        DataError: a folder holds no images, or a directory in it is not a class of the model.
    """
    file = KerasFile(path, Pixels(foreign.mean, foreign.std, foreign.channels))
    inspection = inspect_file(file)
    try:
        labels = _read_labels(foreign.labels, inspection.num_classes, path)
    except ModelError as error:
        if file.network.output_shape[1] == 1:
            said = str(error).replace("has 2 outputs", "stands for 2 classes")
            raise ModelError(f"{said} Its one output tells two classes apart.") from error
        raise
    size = InputSpec(inspection.height, inspection.width, foreign.resize)
    calibration = _read_folder(foreign.calibration, labels, may_be_flat=True)
    test = _read_folder(foreign.test, labels, may_be_flat=False) if foreign.test else ()
    validation = _read_folder(foreign.validation, labels, may_be_flat=False) if foreign.validation else ()
    mean, std = file.outside()
    spec = ModelSpec(name or path.stem, labels, size, _measure_meaning(file, (mean, std), calibration, size))
    training = {"config": {"source": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}, "metrics": {}}
    return Source(file, spec, calibration, test, training, mean, std, validation)


def _measure_meaning(
    file: KerasFile, outside: tuple[float, float], calibration: Sequence[ImageEntry], size: InputSpec
) -> str:
    few = calibration[:: max(1, len(calibration) // NUM_REFERENCES)][:NUM_REFERENCES]
    images = np.stack([preprocess(entry.read(), size) for entry in few])
    return find_meaning(file.network, normalize(images, *outside), file)


def _read_labels(path: Path, num_classes: int, model: Path) -> tuple[str, ...]:
    """The labels, in any form that the device also reads; says what had to be assumed about them."""
    try:
        text = decode_labels(path.read_bytes())
    except FileNotFoundError as error:
        raise MissingInputError(
            f"There is no label file {path}; expected a text file with one label per line."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"The label file {path} cannot be read ({error}); expected UTF-8 text, one label per line."
        ) from error
    assumptions: list[str] = []
    whole = "\n".join(line for line in text.splitlines() if line.strip())
    labels = read_labels(compose_name(whole), num_classes, str(model), assumptions)
    for assumption in assumptions:
        stage(f"assumed: {assumption}")
    return labels


def _read_folder(root: Path, labels: Sequence[str], *, may_be_flat: bool) -> tuple[ImageEntry, ...]:
    if not root.is_dir():
        raise MissingInputError(f"There is no folder {root}; expected images in it.")
    directories = sorted(path for path in root.iterdir() if path.is_dir() and is_visible(path.name))
    unknown = [path.name for path in directories if compose_name(path.name) not in labels]
    if unknown:
        raise DataError(f"{root} has directories {unknown[:5]}, which are not labels; expected {list(labels)[:10]}.")
    if not directories and not may_be_flat:
        raise DataError(f"{root} has no class directories; expected one for each of {list(labels)[:10]}.")
    folders = [(labels.index(compose_name(path.name)), path) for path in directories] or [(-1, root)]
    entries = [make_entry(file, root, label) for label, folder in folders for file in list_images(folder)]
    if not entries:
        raise DataError(f"{root} holds no images; expected files that end in {', '.join(IMAGE_SUFFIXES)}.")
    num_others = sum(len(list_files(folder)) for _, folder in folders) - len(entries)
    if num_others:
        stage(f"warning: {num_others} files in {root} do not end like image files and are left out.")
    empty = [label for index, label in enumerate(labels) if directories and index not in {e.label for e in entries}]
    if empty:
        shown = ", ".join(empty[:10]) + (" ..." if len(empty) > 10 else "")
        stage(f"warning: {root} has no image of {len(empty)} of {len(labels)} classes: {shown}.")
    return tuple(entries)
