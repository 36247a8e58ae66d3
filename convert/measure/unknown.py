"""The stage that decides when the model says "unknown": fits the threshold and measures it on other images."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.config import ConvertConfig
from convert.inputs.source import ImageEntry, Source, make_entry
from convert.measure.gate import FLOAT, score_images
from convert.measure.threshold import (
    Acceptance,
    ThresholdFit,
    UnknownReport,
    apply_threshold,
    fit_threshold,
    trace_coverage,
)
from convert.output.progress import stage
from edge_runtime.errors import MissingInputError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.metrics import calibration_error
from edge_runtime.model.model_file import ModelFile
from edge_runtime.pixels.image_file import list_images

# Below this many validation images the threshold is little more than a guess, and people are told.
FEW_IMAGES = 100


def choose_backend(classifiers: Mapping[str, Classifier]) -> str:
    """The backend whose scores decide: the first one of the integer model, which devices prefer too."""
    return next(name for name in classifiers if name != FLOAT)


def choose_threshold(
    config: ConvertConfig, source: Source, classifiers: Mapping[str, Classifier]
) -> ThresholdFit | None:
    """The threshold fitted on the validation images, None where one is given or there are no such images."""
    if config.threshold is not None or not source.validation:
        return None
    name = choose_backend(classifiers)
    scores = score_images({name: classifiers[name]}, source.validation, "Fitting the threshold")[name]
    fit = fit_threshold(scores, [entry.label for entry in source.validation], config.precision)
    if len(source.validation) < FEW_IMAGES:
        stage(
            f"warning: the threshold {fit.threshold:.3f} was fitted on {len(source.validation)} validation images "
            f"only; expected at least {FEW_IMAGES} for one to rely on."
        )
    if not fit.reached:
        stage(
            f"warning: no threshold gives a precision of {config.precision:.0%} on the validation images; "
            f"{fit.threshold:.3f} comes closest."
        )
    return fit


def set_threshold(model: ModelFile, threshold: float) -> ModelFile:
    """The model whose contract has this threshold."""
    return dataclasses.replace(model, contract=dataclasses.replace(model.contract, threshold=threshold))


def report_unknown(
    config: ConvertConfig,
    fit: ThresholdFit | None,
    threshold: float,
    classifiers: Mapping[str, Classifier],
    scored: tuple[Sequence[ImageEntry], Mapping[str, NDArray[np.float32]]],
) -> UnknownReport:
    """What ``threshold`` does to the labelled test images, ``scored`` with their (n, classes) probabilities by
    classifier, and to the out-of-distribution images where there are some.

    Raises:
        MissingInputError: the folder of out-of-distribution images holds none.
    """
    entries, scores = scored
    name = choose_backend(classifiers)
    labels = [entry.label for entry in entries]
    return UnknownReport(
        fit=fit,
        test=apply_threshold(scores[name], labels, threshold),
        curve=trace_coverage(scores[name], labels),
        calibration_error=calibration_error(scores[name], labels),
        out_of_distribution=_accept_unknown(config.out_of_distribution, threshold, name, classifiers[name])
        if config.out_of_distribution
        else None,
    )


def read_metrics(source: Source) -> dict[str, Any]:
    """The run's metrics.json, empty when it is none."""
    metrics = source.training.get("metrics")
    return metrics if isinstance(metrics, dict) else {}


def _accept_unknown(folder: Path, threshold: float, name: str, classifier: Classifier) -> Acceptance:
    entries = [make_entry(path, folder, -1) for path in list_images(folder)]
    if not entries:
        raise MissingInputError(f"There is no image in {folder}; expected images of none of the classes.")
    scores = score_images({name: classifier}, entries, "Looking at out-of-distribution images")[name]
    return apply_threshold(scores, [-1] * len(entries), threshold)
