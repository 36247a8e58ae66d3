"""Training from a program: arrays or a `tf.data.Dataset` in, the same run directory out as `python -m train` writes."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, UsageError
from edge_runtime.system.quiet_start import quiet_start
from train.curves import Curves
from train.datasets.dataset import ArraySplit, Dataset
from train.progress import Progress
from train.recipes.config import Recipe, TrainConfig, preset
from train.recipes.defaults import TRANSFER
from train.recipes.transfer_config import SCALES, TransferRecipe, transfer
from train.runs.places import expect_free, expect_room

HELD_OUT_SHARE = 0.1
Pairs = tuple[Any, Any]  # images and class indices


def fit_arrays(
    data: Pairs | Iterable[Any],
    out: str | Path,
    labels: Sequence[str],
    *,
    validation: Pairs | Iterable[Any] | None = None,
    test: Pairs | Iterable[Any] | None = None,
    model: str = "small",
    epochs: int | None = None,
    size: tuple[int, int] | str | None = None,
    minutes: float | None = None,
    seed: int = 0,
    curves: Curves | None = None,
    stream: TextIO = sys.stderr,
) -> Path:
    """Trains ``model``, writes the run directory ``out``, which `python -m convert` takes, and returns its path.

    ``model`` is a network that is trained from scratch, or "transfer": transfer learning
    from ImageNet's features, as for your own photos, for at most ``minutes``.

    ``data``, ``validation`` and ``test`` are each a pair of images, (n, h, w, 3) uint8 RGB or (n, h, w) uint8 grey, and
    (n,) class indices into ``labels``; or a `tf.data.Dataset` of such pairs, batched or not. A missing split is held
    out of ``data``, a tenth of each class, identical images together. ``size`` is the network's (height, width), by
    default that of the images; for "transfer" it is one of "tiny", "small" (the default) and "full".

    Raises:
        DataError: images or class indices are of the wrong kind, or a class has too few images.
        UsageError: ``out`` exists or cannot be written, there is no such model, or ``size`` is not one of its sizes.
        MissingInputError: "transfer" has no network to fetch the weights with.
    """
    out = Path(out)
    checkpoints = out.with_name(f"{out.name}.checkpoint")
    expect_room(out)
    expect_free(out, checkpoints)
    images, indices = read_pairs(data, len(labels))
    recipe, spec = choose_recipe(model, size, minutes, epochs, images.shape[1:3])
    parts = {"train": (images, indices)}
    for name, given in (("validation", validation), ("test", test)):
        if given is None:
            parts["train"], parts[name] = hold_out_arrays(*parts["train"], labels)
        else:
            parts[name] = read_pairs(given, len(labels))
    splits = {name: make_split(name, *pair, spec) for name, pair in parts.items()}
    dataset = Dataset("arrays", tuple(labels), splits["train"], splits["validation"], splits["test"])
    name = recipe.scale.name if isinstance(recipe, TransferRecipe) else model
    config = TrainConfig(f"arrays-{name}", "arrays", model, spec, recipe, seed)
    return _fit(config, dataset, out, checkpoints, curves, stream)


def choose_recipe(
    model: str, size: tuple[int, int] | str | None, minutes: float | None, epochs: int | None, shape: tuple[int, ...]
) -> tuple[Recipe | TransferRecipe, InputSpec]:
    """How ``model`` is trained and what it takes; ``shape`` is the (height, width) of the images.

    Raises:
        UsageError: there is no such model, or ``size`` or ``minutes`` is for the other way of training.
    """
    if model == TRANSFER:
        if not (size is None or isinstance(size, str)):
            raise UsageError(
                f'size is {size}, but the model "transfer" comes as {", ".join(SCALES)}; choose one of them.'
            )
        recipe = transfer(size or "small", minutes, epochs)
        return recipe, InputSpec(recipe.scale.side, recipe.scale.side, "stretch")
    if isinstance(size, str) or minutes is not None:
        given = f"size={size!r}" if isinstance(size, str) else f"minutes={minutes:g}"
        raise UsageError(f'{given} goes with model="transfer"; {model} takes (height, width) and a number of epochs.')
    height, width = size or shape
    return preset(model, None, epochs), InputSpec(height, width, "stretch")


def _fit(
    config: TrainConfig, dataset: Dataset, out: Path, checkpoints: Path, curves: Curves | None, stream: TextIO
) -> Path:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    recipe = config.recipe
    with quiet_start():
        from train.runs.run_directory import keep_run
        from train.training.evaluation import evaluate

        if isinstance(recipe, TransferRecipe):
            from train.transfer.photos import train_transfer
        else:
            from train.scratch.fit import fit
    num_epochs = recipe.rounds if isinstance(recipe, TransferRecipe) else recipe.epochs
    progress = Progress(stream, num_epochs, curves=curves)
    if isinstance(recipe, TransferRecipe):
        result = train_transfer(config, recipe, dataset, checkpoints, resume=False, progress=progress)
    else:
        result = fit(config, dataset, checkpoints, resume=False, progress=progress)
    keep_run(out, config, dataset, result, evaluate(result.model, dataset))
    shutil.rmtree(checkpoints, ignore_errors=True)
    return out


def read_pairs(data: Pairs | Iterable[Any], num_classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(n, h, w, 3) uint8 RGB images and (n,) int64 class indices of a pair of arrays or of a `tf.data.Dataset`.

    Raises:
        DataError: they are of the wrong kind; the message says which and what to do.
    """
    images, labels = data if isinstance(data, tuple) else _gather(data)
    images, labels = np.asarray(images), np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == num_classes:
        labels = labels.argmax(axis=1)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 1):
        images = np.repeat(images.reshape(*images.shape[:3], 1), 3, axis=3)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise DataError(
            f"The images are {images.shape} {images.dtype}, expected (n, height, width, 3) uint8, RGB 0..255: the "
            "network normalises them itself, so give them as they are, for example (images * 255).astype('uint8')."
        )
    if labels.ndim != 1 or len(labels) != len(images) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"The labels are {labels.shape} {labels.dtype} for {len(images)} images, expected one class index each."
        )
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= num_classes:
        found = f"{labels.min()} to {labels.max()}" if len(labels) else "none"
        raise DataError(f"The class indices are {found}, expected 0 to {num_classes - 1}, one for each name.")
    return images, labels.astype(np.int64)


def _gather(data: Iterable[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """All pairs of an iterable, batched or not, as two arrays."""
    pairs = [(np.asarray(images), np.asarray(labels)) for images, labels in data]
    if not pairs:
        raise DataError("The data set is empty, expected pairs of images and class indices.")
    if pairs[0][0].ndim == 4:
        return np.concatenate([images for images, _ in pairs]), np.concatenate([labels for _, labels in pairs])
    return np.stack([image for image, _ in pairs]), np.stack([label for _, label in pairs])


def hold_out_arrays(
    images: NDArray[np.uint8], indices: NDArray[np.int64], labels: Sequence[str]
) -> tuple[tuple[NDArray[np.uint8], NDArray[np.int64]], tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """(the rest, the held-out tenth) of each class, chosen by content: identical images are on the same side.

    Raises:
        DataError: a class has fewer than two different images.
    """
    hashes = np.array([hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest() for image in images])
    chosen: set[str] = set()
    for index, label in enumerate(labels):
        different = sorted(set(hashes[indices == index]))
        if len(different) < 2:
            raise DataError(
                f"The class {label} has {len(different)} different images, expected at least 2 to hold one out."
            )
        chosen |= set(different[: max(1, round(len(different) * HELD_OUT_SHARE))])
    held_out = np.isin(hashes, list(chosen))
    return (images[~held_out], indices[~held_out]), (images[held_out], indices[held_out])


def make_split(name: str, images: NDArray[np.uint8], indices: NDArray[np.int64], spec: InputSpec) -> ArraySplit:
    """The split of (n, h, w, 3) uint8 RGB images and (n,) class indices, its images numbered."""
    return ArraySplit(images, indices, tuple(f"{name}/{row:06d}" for row in range(len(images))), spec)
