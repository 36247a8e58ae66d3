"""Measures what quantisation cost: the float and the integer file on the whole test split, with the device's own code.

`find_refusals` decides. It cannot be told that a model is good: every figure comes from `Classifier` on images.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convert.inputs.source import ImageEntry
from convert.output.progress import with_progress
from convert.tflite.audit import AuditReport
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.neighbours import NeighbourTable
from edge_runtime.metrics import (
    ClassificationReport,
    classification_report,
    confusion_matrix,
    mcnemar_p,
    paired_difference_interval,
)
from edge_runtime.pixels.preprocess import Image

FLOAT = "float32"
# With fewer images, the same answer for all of them does not prove a model broken.
ENOUGH_TO_JUDGE = 8
SIGNIFICANCE = 0.05
NUM_FLIPS = 12

Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class Flip:
    """A test image on which the two models answer differently; scores are probabilities in [0, 1]."""

    image: str
    truth: str
    float_label: str
    float_score: float
    label: str
    score: float


@dataclass(frozen=True)
class ClassChange:
    """Recall of one class, [0, 1], by the float and the integer model."""

    label: str
    float_recall: float
    recall: float


@dataclass(frozen=True)
class BackendReport:
    """The integer model on one backend against the float model, image by image; rates in [0, 1].

    ``drop`` = float accuracy - accuracy, with its 95 % interval; ``agreement`` = share with the float model's label.
    """

    backend: str
    kernels: str
    num_correct: int
    report: ClassificationReport
    drop: float
    drop_interval: tuple[float, float]
    only_float_right: int
    only_integer_right: int
    mcnemar_p: float
    agreement: float
    changes: tuple[ClassChange, ...]
    flips: tuple[Flip, ...]


@dataclass(frozen=True)
class VerificationReport:
    """``tested`` says whether the images were held out and labelled; ``backend_agreement`` is the share of images to
    which all integer backends give the same label.

    ``refusals`` are the gate's reasons in words, empty when the model passes.
    """

    num_images: int
    tested: bool
    float_num_correct: int
    float_report: ClassificationReport | None
    backends: tuple[BackendReport, ...]
    backend_agreement: float
    refusals: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the file may be written."""
        return not self.refusals


@dataclass(frozen=True, eq=False)
class Scored:
    """For each classifier the (n, classes) float32 probabilities of n images; and, for those whose model has
    neighbours, the (n,) float32 cosines to them.
    """

    probabilities: dict[str, Probabilities]
    similarities: dict[str, NDArray[np.float32]]


def score_images(
    classifiers: Mapping[str, Classifier], entries: Sequence[ImageEntry], label: str
) -> dict[str, Probabilities]:
    """For each classifier the (n, classes) float32 probabilities of all images; each image is read once."""
    frames = (entry.read() for entry in with_progress(entries, label))
    return score_frames(classifiers, frames, len(entries), None).probabilities


def score_frames(
    classifiers: Mapping[str, Classifier], frames: Iterable[Image], num_frames: int, table: NeighbourTable | None
) -> Scored:
    """The Scored of ``num_frames`` images (h, w, 3) uint8 BGR, compared with the neighbours in ``table``."""
    first = next(iter(classifiers.values()))
    shape = (num_frames, len(first.contract.spec.labels))
    scores = {name: np.empty(shape, np.float32) for name in classifiers}
    compared = {name: item for name, item in classifiers.items() if table is not None and item.contract.neighbours}
    similarities = {name: np.empty(num_frames, np.float32) for name in compared}
    for row, frame in enumerate(frames):
        for name, classifier in classifiers.items():
            scores[name][row] = classifier.probabilities(frame)
            if table is not None and name in compared:
                similarities[name][row] = table.similarity(classifier.last_features())
    return Scored(scores, similarities)


def compare_with_float(
    reference: Probabilities,
    scores: Probabilities,
    entries: Sequence[ImageEntry],
    labels: Sequence[str],
    kernels: tuple[str, str],
) -> BackendReport:
    """The BackendReport of the integer model's probabilities ``scores`` against the float model's ``reference``, both
    (n, classes) for the n labelled ``entries``; ``kernels`` = (backend, name of its kernels).
    """
    truth = np.array([entry.label for entry in entries])
    before, after = _answers(reference), _answers(scores)
    only_float = int(((before == truth) & (after != truth)).sum())
    only_integer = int(((before != truth) & (after == truth)).sum())
    report = _classification(truth, after, labels)
    float_classes = _classification(truth, before, labels).per_class
    return BackendReport(
        backend=kernels[0],
        kernels=kernels[1],
        num_correct=int((after == truth).sum()),
        report=report,
        drop=(only_float - only_integer) / len(truth),
        drop_interval=paired_difference_interval(only_float, only_integer, len(truth)),
        only_float_right=only_float,
        only_integer_right=only_integer,
        mcnemar_p=mcnemar_p(only_float, only_integer),
        agreement=float((before == after).mean()),
        changes=tuple(
            ClassChange(old.label, old.recall, new.recall)
            for old, new in zip(float_classes, report.per_class, strict=True)
        ),
        flips=_worst_flips(reference, scores, entries, labels),
    )


def verify(
    scores: Mapping[str, Probabilities],
    classifiers: Mapping[str, Classifier],
    entries: Sequence[ImageEntry],
    audit: AuditReport,
    max_drop: float,
    *,
    held_out: bool,
) -> VerificationReport:
    """The whole report, including the gate's decision.

    ``scores`` (n, classes) are those of `FLOAT` and of each integer backend; ``max_drop`` is in percentage points;
    ``held_out`` says whether ``entries`` are a test split rather than the images used for calibration.
    """
    labels = classifiers[FLOAT].contract.spec.labels
    tested = held_out and all(entry.label >= 0 for entry in entries)
    # Without true labels the float model's answers stand in for them, and the drop is the disagreement.
    answers = _answers(scores[FLOAT])
    judged = (
        entries
        if tested
        else [
            ImageEntry(entry.name, int(answer), entry.path, entry.row, entry.sha256)
            for entry, answer in zip(entries, answers, strict=True)
        ]
    )
    backends = tuple(
        compare_with_float(scores[FLOAT], scores[name], judged, labels, (name, classifiers[name].interpreter.kernels))
        for name in scores
        if name != FLOAT
    )
    truth = np.array([entry.label for entry in judged])
    all_answers = np.stack([_answers(scores[backend.backend]) for backend in backends])
    return VerificationReport(
        num_images=len(entries),
        tested=tested,
        float_num_correct=int((answers == truth).sum()),
        float_report=_classification(truth, answers, labels) if tested else None,
        backends=backends,
        backend_agreement=float((all_answers == all_answers[0]).all(axis=0).mean()),
        refusals=find_refusals(scores, truth, backends, audit, max_drop),
    )


def find_refusals(
    scores: Mapping[str, Probabilities],
    truth: NDArray[np.int64],
    backends: Sequence[BackendReport],
    audit: AuditReport,
    max_drop: float,
) -> tuple[str, ...]:
    """Why this model must not be released; empty when it may. ``scores`` (n, classes) by backend, ``truth`` (n,) class
    indices, ``max_drop`` in percentage points.

    A drop counts when it is larger than ``max_drop`` *and* significant (McNemar, 5 %); a broken model never passes,
    whatever its drop.
    """
    refusals = [f"not full integer: {problem}" for problem in audit.problems[:3]]
    refusals += [f"broken: {problem}" for problem in audit.degenerate[:3]]
    for name, probabilities in scores.items():
        bad = int((~np.isfinite(probabilities)).any(axis=1).sum())
        if bad:
            refusals.append(
                f"broken: the {name} output is not a number for {bad} of {len(probabilities)} images, expected none"
            )
            continue
        answers = np.unique(probabilities.argmax(axis=1))
        if len(answers) == 1 and len(truth) >= ENOUGH_TO_JUDGE and (len(np.unique(truth)) > 1 or name == FLOAT):
            refusals.append(
                f"broken: {name} answers class {answers[0]} for all {len(truth)} images, expected more than one class"
            )
    for backend in backends:
        drop = 100 * backend.drop
        if drop > max_drop and backend.mcnemar_p < SIGNIFICANCE:
            refusals.append(
                f"accuracy: {backend.backend} loses {drop:.2f} points against float32 (95 % interval "
                f"{100 * backend.drop_interval[0]:.2f} to {100 * backend.drop_interval[1]:.2f}, p = "
                f"{backend.mcnemar_p:.2g}), expected at most {max_drop:g}"
            )
    return tuple(refusals)


def _answers(probabilities: Probabilities) -> NDArray[np.int64]:
    answers: NDArray[np.int64] = np.nan_to_num(probabilities, nan=-1.0).argmax(axis=1)
    return answers


def _classification(
    truth: NDArray[np.int64], answers: NDArray[np.int64], labels: Sequence[str]
) -> ClassificationReport:
    return classification_report(confusion_matrix(truth, answers, len(labels)), labels)


def _worst_flips(
    reference: Probabilities, scores: Probabilities, entries: Sequence[ImageEntry], labels: Sequence[str]
) -> tuple[Flip, ...]:
    """The images with different answers, starting with those on which the float model was right and most confident."""
    before, after = _answers(reference), _answers(scores)
    rows = np.flatnonzero(before != after).tolist()
    rows.sort(
        key=lambda row: (before[row] != entries[row].label, -float(np.nan_to_num(reference[row, before[row]])), row)
    )
    return tuple(
        Flip(
            image=entries[row].name,
            truth=labels[entries[row].label],
            float_label=labels[before[row]],
            float_score=float(reference[row, before[row]]),
            label=labels[after[row]],
            score=float(scores[row, after[row]]),
        )
        for row in rows[:NUM_FLIPS]
    )
