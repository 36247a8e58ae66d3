"""Fits both limits for "unknown" together, the top score's and the neighbours', and leaves out neighbours that gain
nothing.

Both share one budget, the images of the classes that may be refused; each gets half of it.
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
from edge_runtime.errors import InternalError
from edge_runtime.inference.classifier import Classifier

# A table is worth its bytes if it refuses at least this share more of some kind of foreign images than the score alone.
LEAST_GAIN = 0.02
# The table: most centres per class, fewest images per centre, and most images that centres are found among.
CENTRES_A_CLASS, IMAGES_A_CENTRE, NUM_LOOKED_AT = 3, 3, 200
_ROUNDS = 15


@dataclass(frozen=True, eq=False)
class Scores:
    """For n images the (n, classes) probabilities, the (n,) cosines to the neighbours and the (n,) class indices, -1
    for none.
    """

    probabilities: NDArray[np.float32]
    similarities: NDArray[np.float32]
    labels: NDArray[np.int64]

    def accept(self, threshold: float, cut: float, lowest: NDArray[np.float64] | None = None) -> Acceptance:
        """What both limits do to these images; ``lowest`` as in `apply_threshold`."""
        return apply_threshold(self.probabilities, self.labels, threshold, self.similarities, cut, lowest)


def measure_centres(classifier: Classifier, calibration: Calibration) -> NDArray[np.int8]:
    """(centres, width) int8: the table that goes into the file, at most `CENTRES_A_CLASS` centres for each class, of
    the features of the first `NUM_LOOKED_AT` calibration images.
    """
    contract = classifier.contract.neighbours
    if contract is None:
        raise InternalError("Centres need a model whose contract says where its features are.")
    rows, labels = [], []
    for entry, image in zip(calibration.entries[:NUM_LOOKED_AT], calibration.images, strict=False):
        answer = int(classifier.probabilities(np.ascontiguousarray(image[:, :, ::-1])).argmax())
        rows.append(classifier.last_features().copy())
        labels.append(entry.label if entry.label >= 0 else answer)  # a flat folder names no classes
    return find_centres(np.stack(rows), np.array(labels), contract.zero_point)


def find_centres(features: NDArray[np.int8], labels: NDArray[np.int64], zero_point: int) -> NDArray[np.int8]:
    """(centres, width) int8: the directions around which the images of each class lie, on the scale of ``features``
    and as long as int8 allows; ``features`` is (n, width) int8 with 0 at ``zero_point``, ``labels`` (n,).

    Centres are fewer than the images and better, since chance in single images averages out. One centre is enough for
    a class that looks like one thing; a class of several things, such as "other", needs more.
    """
    directions = features.astype(np.float32) - zero_point
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-6)
    found = np.concatenate([_cluster(directions[labels == label]) for label in np.unique(labels)])
    # As long as int8 allows, for the smallest rounding errors. Most features are 0 and need no room.
    needed = np.maximum(found / max(127 - zero_point, 1), -found / max(128 + zero_point, 1)).max(axis=1, keepdims=True)
    longest = found / np.maximum(needed, 1e-9)
    rows: NDArray[np.int8] = (np.rint(longest) + zero_point).clip(-128, 127).astype(np.int8)
    return rows


def _cluster(directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spherical k-means of (n, width) unit vectors, starting at the first: one centre for each `IMAGES_A_CENTRE`."""
    num = max(1, min(CENTRES_A_CLASS, len(directions) // IMAGES_A_CENTRE))
    centres = directions[:num]
    for _ in range(_ROUNDS):
        nearest = (directions @ centres.T).argmax(axis=1)
        groups = [directions[nearest == index] for index in range(num)]
        sums = np.stack([group.sum(axis=0) if len(group) else old for group, old in zip(groups, centres, strict=True)])
        centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
    return centres


def fit_cuts(
    own: Scores,
    foreign: Sequence[Scores],
    precision: float,
    acceptance: float,
    given: float | None = None,
) -> ThresholdFit:
    """The limits with which ``acceptance`` of ``own``, the images of the classes, pass; each signal refuses half of the
    others, and the score's threshold rises until the answers are no longer significantly less often right than
    ``precision``; both in [0, 1]. A ``given`` threshold is kept.

    The fit's cut is -1 unless the neighbours refuse at least `LEAST_GAIN` more of some ``foreign`` set than the score
    alone would with the whole budget. How the budget is shared is not fitted to these sets: no artificial image stands
    for what a camera will see, and a model does best on the kinds that it was trained with.
    """
    budget = count_refusable(len(own.labels), acceptance)
    alone = _fit(own, None, budget, precision, given)
    both = _fit(own, budget // 2, budget, precision, given)
    gains = [_refused(scores, both) - _refused(scores, alone) for scores in foreign]
    chosen = both if max(gains, default=0.0) >= LEAST_GAIN else alone
    return replace(chosen, wanted_acceptance=acceptance)


def count_refusable(num_images: int, acceptance: float) -> int:
    """How many of ``num_images`` may be refused: one standard error fewer than ``acceptance`` says, so that other
    images of the same kind keep to it too.
    """
    most = (1 - acceptance) * num_images
    return int((math.sqrt(1 + 4 * most) - 1) ** 2 / 4)


def _fit(own: Scores, share: int | None, budget: int, precision: float, given: float | None) -> ThresholdFit:
    """The fit in which the neighbours refuse ``share`` images (None: no neighbours) and the score the rest of the
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


def _refused(scores: Scores, fit: ThresholdFit) -> float:
    return 1 - scores.accept(fit.threshold, fit.cut).coverage
