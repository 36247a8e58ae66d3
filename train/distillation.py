"""Learning from a larger network's answers instead of from labels alone.

Hinton et al., "Distilling the Knowledge in a Neural Network" (2015): the answers of a teacher say which classes a
picture resembles. It must have seen the very pixels that the pupil sees (Beyer et al., "Knowledge distillation: A good
teacher is patient and consistent", 2022), but asking it at every step costs as much as the pupil's own training. So
each picture is shifted and mirrored in `VIEWS` ways only, one an epoch in turn, and the teacher is asked once for each
(as Shen and Xing, "A Fast Knowledge Distillation Framework for Visual Recognition", 2022).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, UsageError
from train.augment import Shifts, draw_shifts, shifted
from train.batches import Lesson
from train.config import Recipe, TeacherRun
from train.datasets.dataset import Dataset, Split
from train.predict import compiled, predict
from train.run_place import teacher_run

VIEWS = 12
VIEW_STREAM = 12
# The pupil learns softmax(logits / temperature) at a temperature of 1: its own logits come out divided by it, which
# moves no label, and one loss serves with and without a teacher.
TEMPERATURE = 2.0
TEACHERS_SHARE = 0.9


@dataclass(frozen=True)
class Teacher:
    """A trained network and the place where its answers are kept while a pupil is trained."""

    run: TeacherRun
    model: keras.Model
    answers: Path

    def lesson(self, split: Split, recipe: Recipe, seed: int, epoch: int) -> Lesson:
        """The shifts of ``epoch`` for all of ``split``, and the teacher's (n, classes) float32 probabilities for them.

        The first epoch of a view asks the teacher, later ones read what it said.
        """
        view = epoch % VIEWS
        rng = np.random.default_rng([seed, VIEW_STREAM, view])
        shifts = draw_shifts(len(split.labels), recipe.crop_padding, flip=recipe.flip, rng=rng)
        path = self.answers / f"view-{view}-{self.run.sha256[:16]}.npy"
        logits = np.load(path, allow_pickle=False) if path.exists() else self._ask(split, shifts, path)
        if logits.shape != (len(split.labels), self.model.output_shape[-1]):
            raise DataError(
                f"{path} holds answers of shape {logits.shape}, expected "
                f"{(len(split.labels), self.model.output_shape[-1])}; start again with --force."
            )
        return Lesson(shifts, softened(logits), TEACHERS_SHARE)

    def _ask(self, split: Split, shifts: Shifts, path: Path) -> NDArray[np.float32]:
        logits = predict(
            self.model, split, compiled(self.model), lambda images, indices: shifted(images, shifts.pick(indices))
        )
        self.answers.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                np.save(file, logits, allow_pickle=False)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return logits


def softened(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, classes) logits -> (n, classes) float32 probabilities at `TEMPERATURE`."""
    scaled = logits / np.float32(TEMPERATURE)
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return result


def open_teacher(folder: Path, wanted: TeacherRun, dataset: Dataset, spec: InputSpec, answers: Path) -> Teacher:
    """The network of the run directory ``folder``; ``answers`` is where its answers may be kept.

    Raises:
        UsageError: it knows other classes or takes another input.
        DataError: it is no longer the network that the run was configured with.
    """
    contract = json.loads((folder / "contract.json").read_text("utf-8"))
    labels, size = tuple(contract["labels"]), (contract["input"]["height"], contract["input"]["width"])
    if labels != dataset.labels or size != (spec.height, spec.width):
        raise UsageError(
            f"The teacher {folder} knows {list(labels)} at {size[0]}x{size[1]}, expected {list(dataset.labels)} at "
            f"{spec.height}x{spec.width}; train a teacher on the same data and size."
        )
    found = teacher_run(folder)
    if found != wanted:
        raise DataError(
            f"The teacher {folder} is {found} now, expected {wanted}; it changed, start again with --force."
        )
    return Teacher(found, keras.models.load_model(folder / "model.keras", compile=False), answers)
