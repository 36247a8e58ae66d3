"""Data sets by name or folder; `open_dataset` is the only entry point. All data checks live here, never a network."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import numpy as np

from edge_runtime.contract import InputSpec
from edge_runtime.errors import UsageError
from train.datasets import cifar10
from train.datasets.cifar10_mini import read_mini
from train.datasets.cifar10_sources import find_cifar10
from train.datasets.dataset import ArraySplit, Dataset, split_validation
from train.datasets.folder import open_folder

NUM_VALIDATION = {"cifar10-mini": 1_000, "cifar10": 5_000}


def open_dataset(
    data: str,
    data_path: Path | None,
    input_spec: InputSpec,
    seed: int,
    *,
    skip_bad: bool = False,
    background: Path | None = None,
    layout: dict[str, Path] | None = None,
    progress: TextIO | None = None,
) -> Dataset:
    """The data set ``data``: `cifar10-mini`, `cifar10` or a folder; ``data_path`` is where the complete CIFAR-10 is.

    ``layout`` gives the folder of each split of an image folder, if their names do not show it. The seed picks
    the validation split of the named data sets from their training images; a folder is split by content.

    Raises:
        UsageError: ``data_path`` was given for another data set.
        DataError, MissingInputError: the data cannot be used or found.
    """
    if data_path is not None and data != "cifar10":
        raise UsageError(f"--data-path {data_path} goes with --data cifar10, but --data is {data!r}; leave it out.")
    if data == "cifar10-mini":
        training, test = read_mini(input_spec)
    elif data == "cifar10":
        training, test = _complete(data_path, input_spec)
    else:
        return open_folder(
            Path(data).expanduser(),
            input_spec,
            skip_bad=skip_bad,
            background=background,
            layout=layout,
            progress=progress,
        )
    train, validation = split_validation(training.labels, NUM_VALIDATION[data], seed)
    return Dataset(data, cifar10.LABELS, training.pick(train), training.pick(validation), test, cifar10.CITATION)


def _complete(path: Path | None, input_spec: InputSpec) -> tuple[ArraySplit, ArraySplit]:
    source, names = find_cifar10(path), cifar10.list_image_names()
    num = cifar10.BATCH_SIZE * 5
    parts = (slice(0, num), slice(num, None))
    splits = [
        ArraySplit(source.images[part], source.labels[part].astype(np.int64), tuple(names[part]), input_spec)
        for part in parts
    ]
    return splits[0], splits[1]
