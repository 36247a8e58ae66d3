"""The stage that decides when the model says "unknown": fits both limits and measures them on other images."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.config import ConvertConfig
from convert.inputs.calibration import Calibration
from convert.inputs.source import ImageEntry, Source, make_entry
from convert.measure.class_thresholds import fit_class_thresholds, list_lowest
from convert.measure.foreign_images import make_foreign, make_never_shown
from convert.measure.gate import FLOAT, Scored, score_frames
from convert.measure.neighbours import Scores, fit_cuts, measure_centres
from convert.measure.threshold import (
    FEW_IMAGES,
    OWN_EMPTY_SCENE,
    ForeignSet,
    ThresholdFit,
    UnknownReport,
    apply_threshold,
    trace_coverage,
)
from convert.output.progress import stage, with_progress
from edge_runtime.contract import Neighbours
from edge_runtime.errors import MissingInputError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.neighbours import NeighbourTable
from edge_runtime.metrics import calibration_error
from edge_runtime.model.model_file import ModelFile
from edge_runtime.pixels.image_file import list_images
from edge_runtime.pixels.preprocess import Image

# Why a model does not say "unlike anything seen in training".
NOTHING_UNKNOWN = "With a threshold of 0 nothing is unknown."
NO_FEATURES = "The model does not end in a dense layer over int8 features, or there are too few calibration images."
BRING_NOTHING = "Neighbours among the calibration images would refuse hardly more than the score does."
GIVEN_FOLDER = "images of the folder "
# A folder with fewer images only shows what passes; a larger one is halved, so that it can be fitted on as well.
LEAST_TO_SHARE = 20


def choose_backend(classifiers: Mapping[str, Classifier]) -> str:
    """The backend whose scores decide: the first one of the integer model, which devices prefer too."""
    return next(name for name in classifiers if name != FLOAT)


@dataclass(frozen=True, eq=False)
class Decision:
    """When the model says "unknown": the ``threshold`` of its score, and the ``neighbours`` with their fitted cut and
    their ``rows``, (centres, width) int8; None where it has none or they gain nothing, and ``without`` says why.
    ``fit`` is None where nothing was fitted; ``class_thresholds`` are those of the classes that need their own.
    """

    threshold: float
    fit: ThresholdFit | None = None
    neighbours: Neighbours | None = None
    rows: NDArray[np.int8] | None = None
    without: str = ""
    class_thresholds: Mapping[str, float] = field(default_factory=dict)

    def list_lowest(self, labels: Sequence[str]) -> NDArray[np.float64]:
        """(classes,) the lowest score with which an answer of each of ``labels`` is accepted, in [0, 1]."""
        return list_lowest(labels, self.threshold, self.class_thresholds)

    @property
    def table(self) -> NeighbourTable | None:
        """The neighbours, ready to be compared with."""
        return None if self.neighbours is None or self.rows is None else NeighbourTable(self.neighbours, self.rows)

    @property
    def cut(self) -> float:
        """The lowest accepted cosine to the neighbours, -1 without them."""
        return -1.0 if self.neighbours is None else self.neighbours.cut


def decide_unknown(
    config: ConvertConfig, source: Source, calibration: Calibration, classifiers: Mapping[str, Classifier]
) -> Decision:
    """The Decision fitted on the validation images and on images that belong to none of the classes; without validation
    images, or with a threshold of 0, the neighbours are left out.
    """
    if config.threshold == 0:
        return Decision(0.0, without=NOTHING_UNKNOWN)
    if not source.validation:
        return Decision(config.threshold or 0.0, without=_explain_no_validation(config))
    name = choose_backend(classifiers)
    classifier = classifiers[name]
    neighbours, rows = classifier.contract.neighbours, None
    if neighbours is not None:
        stage("Computing the neighbours")
        rows = measure_centres(classifier, calibration)
        neighbours = dataclasses.replace(neighbours, num_images=len(rows))
    decision = Decision(config.threshold or 0.0, None, neighbours, rows)
    labels = np.array([entry.label for entry in source.validation])
    frames = (entry.read() for entry in with_progress(source.validation, "Fitting the threshold"))
    own = _score(classifier, frames, labels, decision.table)
    foreign = []
    if neighbours is not None:
        sets = dict(make_foreign(source.validation, _list_own(source, classifier), 0))
        sets |= make_never_shown(source.validation, 0)
        sets |= _read_given(config, source, 0)
        foreign = [scores for _, scores in _score_foreign(sets, classifier, decision)]
    fit = fit_cuts(own, foreign, config.precision, config.acceptance, config.threshold)
    _warn(config, source, fit)
    by_label = {} if config.threshold is not None else fit_class_thresholds(own, fit, classifier.labels)
    if neighbours is None:
        return Decision(fit.threshold, fit, without=NO_FEATURES, class_thresholds=by_label)
    if fit.cut == -1.0:
        return Decision(fit.threshold, fit, without=BRING_NOTHING, class_thresholds=by_label)
    return Decision(fit.threshold, fit, dataclasses.replace(neighbours, cut=fit.cut), rows, class_thresholds=by_label)


def _explain_no_validation(config: ConvertConfig) -> str:
    if config.foreign is not None:
        return (
            "There are no validation images to fit the two limits on: give some with --validation DIR, one directory "
            "per class."
        )
    return (
        "The run directory lists no validation images to fit the two limits on: it was trained on an embedded data "
        "set, or written by an older version. Train again on a folder of images."
    )


def explain_unreached(fit: ThresholdFit, wanted: float) -> str:
    """Why ``fit`` does not reach the ``wanted`` precision in [0, 1]: it would refuse too many images of the classes, or
    there are too few images, or too many mistakes.
    """
    found = fit.validation
    if fit.stricter is not None:
        higher, fewer = f"{fit.stricter.threshold:.3f}", f"{fit.stricter.coverage:.1%}"
        return (
            f"{found.num_correct} of the {found.num_accepted} answers that pass on the validation images are right, "
            f"expected {wanted:.0%}. That would take a threshold of {higher}, with which {fewer} of the images pass "
            f"instead of {found.coverage:.1%}: give --threshold {higher} where being right matters more."
        )
    if found.precision is not None and found.precision >= wanted:
        needed = math.ceil(wanted / (1 - wanted) - 1e-9)
        return (
            f"{found.num_correct} of {found.num_accepted} answers on the validation images are right, which is too few "
            f"to promise {wanted:.0%}: at least {needed} right ones are needed. Give more images; until then, the "
            f"threshold is {fit.threshold:.3f}."
        )
    return (
        f"no threshold gives a precision of {wanted:.0%} on the validation images; {fit.threshold:.3f} comes closest."
    )


def _warn(config: ConvertConfig, source: Source, fit: ThresholdFit) -> None:
    if len(source.validation) < FEW_IMAGES:
        stage(
            f"warning: the threshold {fit.threshold:.3f} was fitted on only {len(source.validation)} validation "
            f"images; expected at least {FEW_IMAGES} for a reliable one."
        )
    if not fit.reached:
        stage(f"warning: {explain_unreached(fit, config.precision)}")


def _score(
    classifier: Classifier, frames: Iterable[Image], labels: NDArray[np.int64], table: NeighbourTable | None
) -> Scores:
    found = score_frames({"": classifier}, frames, len(labels), table)
    return Scores(found.probabilities[""], found.similarities.get("", np.ones(len(labels), np.float32)), labels)


def _read_given(config: ConvertConfig, source: Source, part: int) -> dict[str, list[Image]]:
    """The run's background and the folder of out-of-distribution images, by name; ``part`` 0 decides whether neighbours
    are used, part 1 shows what passes.
    """
    sets: dict[str, list[Image]] = {}
    given: dict[str, Sequence[ImageEntry]] = {OWN_EMPTY_SCENE: source.background}
    if config.out_of_distribution:
        given[f"{GIVEN_FOLDER}{config.out_of_distribution.name}"] = _list_folder(config.out_of_distribution)
    for name, images in given.items():
        if len(images) >= LEAST_TO_SHARE:
            sets[name] = [entry.read() for entry in images[part::2]]
        elif images and part == 1:
            sets[name] = [entry.read() for entry in images]
    return sets


def _score_foreign(
    sets: Mapping[str, list[Image]], classifier: Classifier, decision: Decision
) -> list[tuple[str, Scores]]:
    """The named sets of images that belong to none of the classes, scored."""
    nowhere = {name: np.full(len(images), -1) for name, images in sets.items()}
    return [(name, _score(classifier, images, nowhere[name], decision.table)) for name, images in sets.items()]


def set_decision(model: ModelFile, decision: Decision) -> ModelFile:
    """The model whose contract has this decision's thresholds and neighbours."""
    contract = dataclasses.replace(
        model.contract,
        threshold=decision.threshold,
        neighbours=decision.neighbours,
        class_thresholds=dict(decision.class_thresholds) or None,
    )
    return dataclasses.replace(model, contract=contract)


def report_unknown(
    config: ConvertConfig,
    source: Source,
    decision: Decision,
    classifiers: Mapping[str, Classifier],
    scored: tuple[Sequence[ImageEntry], Scored],
) -> UnknownReport:
    """What ``decision`` does to the labelled test images, ``scored`` by classifier, and to images that belong to none
    of the classes.

    Raises:
        MissingInputError: the folder of out-of-distribution images holds none.
    """
    entries, scores = scored
    name = choose_backend(classifiers)
    labels = [entry.label for entry in entries]
    probabilities, similarities = scores.probabilities[name], scores.similarities.get(name)
    foreign, outside = [], None
    lowest = decision.list_lowest(classifiers[name].labels)
    if decision.threshold or decision.neighbours or config.out_of_distribution:
        stage("Checking images that belong to none of the classes")
        sets = dict(make_foreign(entries, _list_own(source, classifiers[name]), 1)) | _read_given(config, source, 1)
        for title, found in _score_foreign(sets, classifiers[name], decision):
            foreign.append(ForeignSet(title, found.accept(decision.threshold, decision.cut, lowest)))
            outside = foreign[-1].acceptance if title.startswith(GIVEN_FOLDER) else None
    return UnknownReport(
        fit=decision.fit,
        test=apply_threshold(probabilities, labels, decision.threshold, similarities, decision.cut, lowest),
        curve=trace_coverage(probabilities, labels),
        calibration_error=calibration_error(probabilities, labels),
        out_of_distribution=outside,
        foreign=tuple(foreign),
        cut=None if decision.neighbours is None else decision.cut,
        without=decision.without,
        class_thresholds=dict(decision.class_thresholds),
    )


def _list_own(source: Source, classifier: Classifier) -> list[str]:
    """The model's classes, and what training found them to be called in the words of CIFAR-10 (Hunde: dog)."""
    return [*classifier.labels, *(read_metrics(source).get("own_small_photos") or [])]


def read_metrics(source: Source) -> dict[str, Any]:
    """The run's metrics.json, empty when it has none."""
    metrics = source.training.get("metrics")
    return metrics if isinstance(metrics, dict) else {}


def _list_folder(folder: Path) -> Sequence[ImageEntry]:
    entries = [make_entry(path, folder, -1) for path in list_images(folder)]
    if not entries:
        raise MissingInputError(f"There is no image in {folder}; expected images that belong to none of the classes.")
    return entries
