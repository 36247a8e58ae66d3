"""Fits both cuts of "unknown" together, the top score's and the neighbours', and leaves the neighbours out where they
bring nothing.

Both spend one budget, the own images that may be refused, and each gets half of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convert.inputs.calibration import Calibration
from convert.measure.threshold import (
    FEW_IMAGES,
    Acceptance,
    ThresholdFit,
    apply_threshold,
    fit_threshold,
    fit_threshold_on_few,
    relax_threshold,
)
from edge_runtime.inference.classifier import Classifier

# A table that refuses less than this more of the foreign images than the score alone is not worth its bytes.
LEAST_GAIN = 0.01


@dataclass(frozen=True, eq=False)
class Scores:
    """Of n images the (n, classes) probabilities, the (n,) cosines to the neighbours and the (n,) class indices, -1 of
    none.
    """

    probabilities: NDArray[np.float32]
    similarities: NDArray[np.float32]
    labels: NDArray[np.int64]

    def accept(self, threshold: float, cut: float, lowest: NDArray[np.float64] | None = None) -> Acceptance:
        """What both cuts do to these images; ``lowest`` as in `apply_threshold`."""
        return apply_threshold(self.probabilities, self.labels, threshold, self.similarities, cut, lowest)


def measure_features(classifier: Classifier, calibration: Calibration, num_images: int) -> NDArray[np.int8]:
    """(num_images, width) int8 features of the first calibration images: the table that goes into the file."""
    rows = []
    for image in calibration.images[:num_images]:
        classifier.raw_output(np.ascontiguousarray(image[:, :, ::-1]))
        rows.append(classifier.last_features())
    return np.stack(rows)


def fit_cuts(
    own: Scores,
    foreign: Sequence[Scores],
    precision: float,
    acceptance: float,
    given: float | None = None,
) -> ThresholdFit:
    """The cuts with which ``acceptance`` of the ``own`` images pass, half of the others refused by each signal, and the
    score's raised until they are not surely right less often than ``precision``; both in [0, 1]. A ``given`` threshold
    stays as it is.

    The fit's cut is -1 when the neighbours refuse less than `LEAST_GAIN` more of the ``foreign`` images (the mean of
    their sets' shares) than the score alone would with the whole budget. How the budget is shared isn't fitted to them:
    no made-up image stands for what a camera will see, and a model is surest of the kinds that it was trained with.
    """
    budget = count_refusable(len(own.labels), acceptance)
    alone = _fit(own, None, budget, precision, given)
    both = _fit(own, budget // 2, budget, precision, given)
    chosen = both if _refused(foreign, both) >= _refused(foreign, alone) + LEAST_GAIN else alone
    return replace(chosen, wanted_acceptance=acceptance)


def count_refusable(num_images: int, acceptance: float) -> int:
    """How many of ``num_images`` may be refused, one standard error fewer than ``acceptance`` says: other images of the
    same kind shall keep it too.
    """
    most = (1 - acceptance) * num_images
    return int((math.sqrt(1 + 4 * most) - 1) ** 2 / 4)


def _fit(own: Scores, share: int | None, budget: int, precision: float, given: float | None) -> ThresholdFit:
    """The fit in which the neighbours refuse ``share`` images, None without them, and the score the rest of the
    ``budget``.
    """
    cut = -1.0 if share is None else _place_cut(own.similarities, share)
    inside = own.similarities >= cut
    if given is not None:
        return ThresholdFit(precision, given, own.accept(given, cut), reached=True, cut=cut)
    probabilities, labels = own.probabilities[inside], own.labels[inside]
    allowed = _place_cut(probabilities.max(axis=1), budget - (share or 0))
    if len(own.labels) < FEW_IMAGES:
        fit = fit_threshold_on_few(probabilities, labels, precision)
        return _measure(own, replace(fit, threshold=max(fit.threshold, allowed)), cut)
    fit = relax_threshold(fit_threshold(probabilities, labels, precision), probabilities, labels, allowed)
    return _measure(own, fit, cut)


def _measure(own: Scores, fit: ThresholdFit, cut: float) -> ThresholdFit:
    """``fit`` with what its thresholds do to all ``own`` images, together with ``cut``."""
    stricter = None if fit.stricter is None else own.accept(fit.stricter.threshold, cut)
    return replace(fit, validation=own.accept(fit.threshold, cut), cut=cut, stricter=stricter)


def _place_cut(values: NDArray[np.float32], num_below: int) -> float:
    """A number between the ``num_below``-th smallest value and the next larger one."""
    ordered = np.unique(values) if num_below == 0 else np.sort(values)
    if num_below == 0 or num_below >= len(ordered):
        return float(ordered[0])
    low, high = float(ordered[num_below - 1]), float(ordered[num_below])
    return (low + high) / 2 if low < high else low


def _refused(foreign: Sequence[Scores], fit: ThresholdFit) -> float:
    if not foreign:
        return 0.0
    return float(np.mean([1 - scores.accept(fit.threshold, fit.cut).coverage for scores in foreign]))
