"""The stage that decides when the model says "unknown": fits the threshold and measures it on other pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.config import ConvertConfig
from convert.inputs.image_folder import list_images, make_entry
from convert.inputs.source import ImageEntry, Source
from convert.measure.gate import FLOAT, score
from convert.measure.threshold import Acceptance, ThresholdFit, UnknownReport, accepted, coverage_curve, fit_threshold
from convert.output.progress import stage
from edge_runtime.errors import MissingInputError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.metrics import calibration_error
from edge_runtime.model.model_file import ModelFile

# Below this many validation pictures the threshold is little more than a guess, and people are told.
FEW_IMAGES = 100


def preferred(classifiers: Mapping[str, Classifier]) -> str:
    """The interpreter whose scores decide: the first integer one, which devices prefer too."""
    return next(name for name in classifiers if name != FLOAT)


def threshold_fit(config: ConvertConfig, source: Source, classifiers: Mapping[str, Classifier]) -> ThresholdFit | None:
    """The threshold fitted on the validation pictures, None where one is given or there are no such pictures."""
    if config.threshold is not None or not source.validation:
        return None
    name = preferred(classifiers)
    scores = score({name: classifiers[name]}, source.validation, "Fitting the threshold")[name]
    fit = fit_threshold(scores, [entry.label for entry in source.validation], config.precision)
    if len(source.validation) < FEW_IMAGES:
        stage(
            f"warning: the threshold {fit.threshold:.3f} was fitted on {len(source.validation)} validation pictures "
            f"only; expected at least {FEW_IMAGES} for one to rely on."
        )
    if not fit.reached:
        stage(
            f"warning: no threshold gives a precision of {config.precision:.0%} on the validation pictures; "
            f"{fit.threshold:.3f} comes closest."
        )
    return fit


def with_threshold(model: ModelFile, threshold: float) -> ModelFile:
    """The model whose contract has this threshold."""
    return dataclasses.replace(model, contract=dataclasses.replace(model.contract, threshold=threshold))


def unknown_report(
    config: ConvertConfig,
    fit: ThresholdFit | None,
    threshold: float,
    classifiers: Mapping[str, Classifier],
    scored: tuple[Sequence[ImageEntry], Mapping[str, NDArray[np.float32]]],
) -> UnknownReport:
    """What ``threshold`` does to the labelled test pictures in ``scored``, and to strangers where there are some."""
    entries, scores = scored
    name = preferred(classifiers)
    labels = [entry.label for entry in entries]
    return UnknownReport(
        fit=fit,
        test=accepted(scores[name], labels, threshold),
        curve=coverage_curve(scores[name], labels),
        calibration_error=calibration_error(scores[name], labels),
        strangers=_strangers(config.strangers, threshold, name, classifiers[name]) if config.strangers else None,
    )


def metrics_of(source: Source) -> dict[str, Any]:
    """The run's metrics.json, empty when it is none."""
    metrics = source.training.get("metrics")
    return metrics if isinstance(metrics, dict) else {}


def _strangers(folder: Path, threshold: float, name: str, classifier: Classifier) -> Acceptance:
    entries = [make_entry(path, folder, -1) for path in list_images(folder, deep=True)]
    if not entries:
        raise MissingInputError(f"There is no picture in {folder}; expected pictures of none of the classes.")
    scores = score({name: classifier}, entries, "Looking at strangers")[name]
    return accepted(scores, [-1] * len(entries), threshold)
