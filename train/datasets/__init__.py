"""Data sets by name or folder; `open_dataset` is the one door."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_runtime.contract import InputSpec
from train.datasets import cifar10
from train.datasets.dataset import ArraySplit, Dataset, cut_validation

CIFAR10_VALIDATION = 5_000


def open_dataset(data: str, data_path: Path | None, input_spec: InputSpec, seed: int) -> Dataset:
    assert data_path is not None
    source = cifar10.read_npz(data_path)
    names = tuple(cifar10.image_names())
    everything = ArraySplit(source.images, source.labels.astype(np.int64), names, input_spec)
    train, validation = cut_validation(everything.labels[:50_000], CIFAR10_VALIDATION, seed)
    return Dataset(
        "cifar10",
        cifar10.LABELS,
        everything.pick(train),
        everything.pick(validation),
        everything.pick(np.arange(50_000, 60_000)),
        cifar10.CITATION,
    )
