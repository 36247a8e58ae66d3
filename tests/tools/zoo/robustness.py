"""Corrupted images for every shipped model and the yardsticks: the table of the zoo page and the sections of the cards."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from convert.measure.robustness import Robustness, choose_indices, measure_robustness
from edge_runtime.contract import InputSpec
from edge_runtime.inference.classifier import Classifier
from edge_runtime.model.model_file import ModelFile, open_model
from edge_runtime.store.shipped import list_shipped_models

if TYPE_CHECKING:
    from train.datasets.dataset import Dataset

NUM_IMAGES = 1_000


def measure_all(yardsticks: dict[str, Path]) -> dict[str, Robustness]:
    """By name, the yardsticks last, all on the same test images."""
    dataset = open_cifar10()
    indices = choose_indices(len(dataset.test.labels), NUM_IMAGES)
    images = [np.ascontiguousarray(image[..., ::-1]) for image in dataset.test.read(indices)]
    truth = dataset.test.labels[indices]
    found = {}
    for name, model in list_models(yardsticks, dataset.labels).items():
        with Classifier(model) as classifier:
            found[name] = measure_robustness(classifier, images, truth)
    return found


def open_cifar10() -> Dataset:
    from train.datasets import open_dataset

    return open_dataset("cifar10", None, InputSpec(32, 32), 0)


def list_models(yardsticks: dict[str, Path], labels: Sequence[str]) -> dict[str, ModelFile]:
    """The shipped models by name, then the yardsticks, which have no labels of their own."""
    models = {file.contract.spec.name: file for file in map(open_model, list_shipped_models().values())}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.txt"
        path.write_text("".join(f"{label}\n" for label in labels), "utf-8")
        return models | {name: open_model(file, path) for name, file in yardsticks.items()}
