"""Corrupted images for every shipped model and the yardsticks: the table of the zoo page and the sections of the cards."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from convert.measure.robustness import Robustness, choose_indices, measure_robustness
from edge_runtime.contract import InputSpec
from edge_runtime.inference.classifier import Classifier
from edge_runtime.model.model_file import ModelFile, open_model
from edge_runtime.store.shipped import list_shipped_models

NUM_IMAGES = 1_000


def measure_all(yardsticks: dict[str, Path]) -> dict[str, Robustness]:
    """By name, the yardsticks last, all on the same test images."""
    from train.datasets import open_dataset

    dataset = open_dataset("cifar10", None, InputSpec(32, 32), 0)
    indices = choose_indices(len(dataset.test.labels), NUM_IMAGES)
    images = [np.ascontiguousarray(image[..., ::-1]) for image in dataset.test.read(indices)]
    truth = dataset.test.labels[indices]
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder) / "labels.txt"
        labels.write_text("".join(f"{label}\n" for label in dataset.labels), "utf-8")
        models: dict[str, ModelFile] = {
            file.contract.spec.name: file for file in map(open_model, list_shipped_models().values())
        }
        models |= {name: open_model(path, labels) for name, path in yardsticks.items()}
    found = {}
    for name, model in models.items():
        with Classifier(model) as classifier:
            found[name] = measure_robustness(classifier, images, truth)
    return found
