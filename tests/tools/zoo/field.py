"""The field test of every shipped model and the yardsticks: the table of the zoo page and the sections of the cards."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np

from convert.inputs.source import ImageEntry
from convert.measure.field_test import AS_THEY_ARE, MAX_IMAGES, SCENES, FieldTest, run_field_test
from convert.measure.robustness import choose_indices
from convert.output.page import render_markdown_table
from edge_runtime.inference.classifier import Classifier
from tests.tools.zoo.robustness import list_models, open_cifar10


def measure_fields(yardsticks: dict[str, Path]) -> dict[str, FieldTest]:
    """By name, the yardsticks last, all on the same test images; no answer counts as unknown."""
    dataset = open_cifar10()
    indices = choose_indices(len(dataset.test.labels), MAX_IMAGES)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        np.save(path, np.stack(dataset.test.read(indices)))
        entries = [
            ImageEntry(
                f"test {index}", int(dataset.test.labels[index]), path, row, hashlib.sha256(image.tobytes()).hexdigest()
            )
            for row, (index, image) in enumerate(zip(indices.tolist(), np.load(path), strict=True))
        ]
        for name, model in list_models(yardsticks, dataset.labels).items():
            with Classifier(model) as classifier:
                found[name] = run_field_test({classifier.interpreter.backend: classifier}, entries, 0.0)
    return found


def tabulate_fields(found: dict[str, FieldTest]) -> str:
    """Each model's accuracy on the images as they are, and its change in points in every scene."""
    others = [scene for scene in SCENES if scene != AS_THEY_ARE]
    rows = []
    for name, test in found.items():
        by_scene = {row.scene: row for row in test.rows}
        clean = f"{by_scene[AS_THEY_ARE].num_correct / test.num_images:.1%}"
        rows.append([name, clean, *(f"{100 * by_scene[scene].change + 0.0:+.1f}" for scene in others)])
    return render_markdown_table(["model", AS_THEY_ARE, *others], rows)
