"""Turns a backbone and a few photos per class into a model file like any other, marked as provisional."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import Contract, ModelSpec, Neighbours, Provisional, expect_name
from edge_runtime.errors import InternalError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.recording import record_goldens
from edge_runtime.installed.teach.fitted_head import FittedHead, fit_head
from edge_runtime.installed.teach.photos import find_region
from edge_runtime.installed.teach.replaced_head import Head, find_head, replace_head
from edge_runtime.installed.teach.unknown import RANK, choose_cut, choose_threshold, count_right
from edge_runtime.model.inner_tensors import Features, read_scale
from edge_runtime.model.model_file import ModelFile, open_model, write_model
from edge_runtime.model.npy import array_to_npy
from edge_runtime.pixels.image_file import read_image, read_image_bytes
from edge_runtime.pixels.preprocess import Image
from edge_runtime.store.shipped import default_model

# Reference kernels take seconds per frame for a backbone with 400 million products.
NUM_GOLDENS = 2
# How far the integer head's probabilities may be from the fitted head's; the largest difference seen was 0.03.
MAX_ERROR = 0.15


@dataclass(frozen=True)
class Taught:
    """The bytes of the model file, how many photos each class had, and how many were recognised when left out."""

    content: bytes
    num_photos: dict[str, int]
    num_correct: dict[str, int]


def teach(
    backbone: ModelFile,
    photos: Mapping[str, Sequence[Path]],
    name: str,
    *,
    backend: str = "auto",
    threads: int = 1,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Taught:
    """A model called ``name`` that tells apart the classes that are the keys of ``photos``; ``tell`` is called with the
    number of photos done and their total.

    Raises:
        ModelError: ``backbone`` does not end as it must, or ``name`` is not allowed.
        DataError, MissingInputError: a photo cannot be read.
    """
    expect_name(name)
    features, _ = find_head(backbone.flatbuffer)
    labels = np.repeat(np.arange(len(photos)), [len(paths) for paths in photos.values()])
    files = [path for paths in photos.values() for path in paths]
    stored = _look_at(backbone, features, files, backend, threads, tell)
    scale, zero_point = read_scale(backbone.flatbuffer, features.tensor)
    real = (stored.astype(np.float32) - zero_point) * np.float32(scale)
    fitted = fit_head(real, labels, len(photos))
    logits = real.reshape(-1, features.width) @ fitted.kernel + fitted.bias
    head = Head(fitted.kernel, fitted.bias, float(logits.min()), float(logits.max()))
    flatbuffer = replace_head(backbone.flatbuffer, head)
    rows = np.ascontiguousarray(stored[:, 0])
    correct = count_right(fitted.left_out, labels, len(photos))
    contract = _complete(backbone, photos, name, fitted, labels, rows, features, correct)
    model = ModelFile(None, flatbuffer, contract, None, (), neighbours_npy=array_to_npy(rows))
    images = open_model(default_model()).goldens
    assert images is not None, "the package ships a model without goldens"
    with Classifier(model, backend=backend, threads=threads) as classifier:
        _expect_as_fitted(classifier, files, labels, logits.reshape(len(files), -1, len(photos))[:, 0])
        goldens = record_goldens(classifier, images, NUM_GOLDENS)
    content = write_model(flatbuffer, contract, goldens, rows)
    counts = {label: len(paths) for label, paths in photos.items()}
    return Taught(content, counts, dict(zip(photos, correct, strict=True)))


def _look_at(
    backbone: ModelFile,
    features: Features,
    files: Sequence[Path],
    backend: str,
    threads: int,
    tell: Callable[[int, int], None],
) -> NDArray[np.int8]:
    """(photos, 2, width) int8 features of each photo and its mirror image."""
    found = Neighbours(features.tensor, features.zero_point, features.width, 1, 1, -1.0)
    contract = dataclasses.replace(backbone.contract, neighbours=found)
    seen = []
    with Classifier(
        dataclasses.replace(backbone, contract=contract, neighbours_npy=None), backend=backend, threads=threads
    ) as classifier:
        for number, path in enumerate(files, 1):
            image = read_image(path)
            for view in (image, mirror(image)):
                classifier.raw_output(view)
                seen.append(classifier.last_features())
            tell(number, len(files))
    return np.stack(seen).reshape(len(files), 2, -1)


def mirror(image: Image) -> Image:
    """The (h, w, 3) uint8 image with left and right exchanged."""
    return np.ascontiguousarray(image[:, ::-1])


def _complete(
    backbone: ModelFile,
    photos: Mapping[str, Sequence[Path]],
    name: str,
    fitted: FittedHead,
    labels: NDArray[np.int64],
    rows: NDArray[np.int8],
    features: Features,
    correct: Sequence[int],
) -> Contract:
    """The contract of the taught model, without its parts' hashes."""
    cut = choose_cut(rows, features.zero_point)
    base = backbone.contract
    return dataclasses.replace(
        base,
        spec=ModelSpec(name, tuple(photos), base.spec.input, base.spec.output),
        output_tensor=dataclasses.replace(base.output_tensor, shape=(1, len(photos))),
        threshold=choose_threshold(fitted.left_out, labels),
        scores=(),
        parts={},
        provenance={
            "taught": {
                "backbone": hashlib.sha256(backbone.flatbuffer).hexdigest(),
                "photos": {label: [_hash(path) for path in paths] for label, paths in photos.items()},
                "recognised_when_left_out": dict(zip(photos, correct, strict=True)),
            }
        },
        neighbours=Neighbours(features.tensor, features.zero_point, features.width, len(rows), RANK, cut),
        region=find_region(photos),
        class_thresholds=None,
        drift=None,
        provisional=Provisional(len(rows), sum(correct)),
    )


def _expect_as_fitted(
    classifier: Classifier, files: Sequence[Path], labels: NDArray[np.int64], logits: NDArray[np.float32]
) -> None:
    """Raises InternalError if the integer head's probabilities differ from the fitted head's, for a photo per class."""
    for place in np.unique(labels, return_index=True)[1].tolist():
        powers = np.exp(logits[place] - logits[place].max())
        found = classifier.probabilities(read_image(files[place]))
        error = float(np.abs(found - powers / powers.sum()).max())
        if error > MAX_ERROR:
            raise InternalError(
                f"The integer head is {error:.2f} off the fitted one on {files[place]}, expected at most {MAX_ERROR}."
            )


def _hash(path: Path) -> str:
    return hashlib.sha256(read_image_bytes(path)).hexdigest()
