"""Learning from a larger network's answers instead of from labels alone.

Hinton et al., "Distilling the Knowledge in a Neural Network" (2015): the answers of a teacher say which classes a
image resembles. It must have seen the very pixels that the student sees (Beyer et al., "Knowledge distillation: A good
teacher is patient and consistent", 2022), but asking it at every step costs as much as the student's own training. So
each image is shifted and mirrored in a few ways only, one an epoch in turn, and the teacher is asked once for each
(as Shen and Xing, "A Fast Knowledge Distillation Framework for Visual Recognition", 2022). A teacher's mean answer over
several views is right more often than each of them, and costs nothing more.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import DataError, EdgeRuntimeError, UsageError
from edge_runtime.system.durable import write_durably
from train.datasets.dataset import Dataset, Split
from train.recipes.config import Recipe, TeacherRun, TrainConfig
from train.runs.places import find_teacher_run
from train.scratch.augment import Shifts, draw_shifts, shift
from train.scratch.batches import Lesson
from train.training.logits import compile_forward, compute_logits
from train.training.temperature import softmax

VIEW_STREAM = 12
# The student learns softmax(logits / temperature) at a temperature of 1: its own logits come out divided by it, which
# moves no label, and one loss serves with and without a teacher.
TEMPERATURE = 2.0
TEACHERS_SHARE = 0.9


@dataclass(frozen=True)
class Teacher:
    """A trained network and the place where its answers are kept while a student is trained."""

    run: TeacherRun
    model: keras.Model
    answers: Path

    def lesson(self, split: Split, recipe: Recipe, seed: int, epoch: int) -> Lesson:
        """The shifts of ``epoch`` for all of ``split``, and the teacher's (n, classes) float32 probabilities for them.

        The first epoch with a view asks the teacher; later ones read its stored answers.
        """
        if not recipe.averaged:
            shifts, logits = self._view(split, recipe, seed, epoch % recipe.views)
            return Lesson(shifts, soften(logits), TEACHERS_SHARE)
        views = [self._view(split, recipe, seed, view) for view in range(min(epoch + 1, recipe.views))]
        shifts, logits = views[epoch % recipe.views]
        mean = np.mean([soften(answers) for _, answers in views], axis=0)
        share = np.float32(recipe.averaged)
        return Lesson(shifts, soften(logits) * (1 - share) + mean * share, TEACHERS_SHARE)

    def _view(self, split: Split, recipe: Recipe, seed: int, view: int) -> tuple[Shifts, NDArray[np.float32]]:
        rng = np.random.default_rng([seed, VIEW_STREAM, view])
        shifts = draw_shifts(len(split.labels), recipe.crop_padding, flip=recipe.flip, rng=rng)
        path = self.answers / f"view-{view}-{self._question(split, shifts)}.npy"
        return shifts, _read(path) if path.exists() else self._ask(split, shifts, path)

    def _question(self, split: Split, shifts: Shifts) -> str:
        """16 hexadecimal digits that are unique to this teacher, these images and these shifts."""
        digest = hashlib.sha256(self.run.sha256.encode())
        for index in range(len(split.labels)):
            digest.update(split.record(index).sha256.encode())
        for values in (np.array(shifts.padding), shifts.tops, shifts.lefts, shifts.flips):
            digest.update(values.tobytes())
        return digest.hexdigest()[:16]

    def _ask(self, split: Split, shifts: Shifts, path: Path) -> NDArray[np.float32]:
        logits = compute_logits(
            self.model, split, compile_forward(self.model), lambda images, indices: shift(images, shifts.pick(indices))
        )
        content = io.BytesIO()
        np.save(content, logits, allow_pickle=False)
        # Stored answers only save time: without them the teacher is asked again.
        with contextlib.suppress(OSError, EdgeRuntimeError):
            self.answers.mkdir(parents=True, exist_ok=True)
            write_durably(path, content.getvalue())
        return logits


def soften(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, classes) logits -> (n, classes) float32 probabilities at `TEMPERATURE`."""
    return softmax(logits / np.float32(TEMPERATURE)).astype(np.float32)


def _read(path: Path) -> NDArray[np.float32]:
    try:
        answers: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"The teacher's answers in {path} cannot be read ({error}); expected what an earlier run wrote. Remove the "
            "file, and the teacher is asked again."
        ) from error
    return answers


def open_teacher(folder: Path, config: TrainConfig, dataset: Dataset, answers: Path) -> Teacher:
    """The network of the run directory ``folder`` for the training that ``config`` describes on ``dataset``.

    ``answers`` is where its answers may be kept. It must have been trained on the same splits: a teacher that learnt
    the student's validation or test images would give away their labels.

    Raises:
        UsageError: it was trained on different data, splits, classes or a different input.
        DataError: it is no longer the network that the run was configured with.
    """
    _expect_same_splits(folder, "teacher", config, dataset)
    run = _expect_unchanged(folder, "teacher", config.teacher)
    return Teacher(run, keras.models.load_model(folder / "model.keras", compile=False), answers)


def open_start(folder: Path, config: TrainConfig, dataset: Dataset) -> keras.Model:
    """The network of the run directory ``folder``, whose weights the training that ``config`` describes starts from.

    It must have been trained on the same splits, for the same reason as a teacher.

    Raises:
        UsageError: it was trained on different data, splits, classes or a different input, or has another architecture.
        DataError: it is no longer the network that the run was configured with.
    """
    _expect_same_splits(folder, "start", config, dataset)
    theirs = json.loads((folder / "config.json").read_text("utf-8"))["model"]
    if theirs != config.model:
        raise UsageError(
            f"The start {folder} is of the architecture {theirs}, expected {config.model}; name a run of that one."
        )
    _expect_unchanged(folder, "start", config.start)
    return keras.models.load_model(folder / "model.keras", compile=False)


def _expect_unchanged(folder: Path, role: str, expected: TeacherRun | None) -> TeacherRun:
    found = find_teacher_run(folder)
    if found != expected:
        raise DataError(
            f"The {role} {folder} is {found} now, expected {expected}; it changed, start again with --force."
        )
    return found


def _expect_same_splits(folder: Path, role: str, config: TrainConfig, dataset: Dataset) -> None:
    theirs = json.loads((folder / "config.json").read_text("utf-8"))
    contract = json.loads((folder / "contract.json").read_text("utf-8"))
    tested = json.loads((folder / "images.json").read_text("utf-8"))["test"]
    ours = {dataset.test.record(index).sha256 for index in range(len(dataset.test.labels))}
    for what, found, expected in (
        ("data set", theirs["dataset"]["name"], dataset.name),
        ("number of training images", theirs["dataset"]["train"], len(dataset.train.labels)),
        ("seed, which splits the data,", theirs["seed"], config.seed),
        ("classes", tuple(contract["labels"]), dataset.labels),
        ("input", theirs["input"], dataclasses.asdict(config.input)),
        ("number of test images in common", len({row["sha256"] for row in tested} & ours), len(ours)),
    ):
        if found != expected:
            raise UsageError(
                f"The {role} {folder} cannot serve this run: its {what} is {found}, expected {expected}. Train a "
                f"{role} on the same data, seed and size."
            )
