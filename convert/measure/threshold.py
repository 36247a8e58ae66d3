"""When to say "unknown": fits the threshold on the integer model's own scores that gives a wanted precision.

Fitted on validation images, never on test images, which then show what it really does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import DataError
from edge_runtime.metrics import wilson_interval

# An answer that is more likely wrong than right is not accepted, however good the model is on images of its classes.
LOWEST = 0.5
# Below this many validation images a threshold is little more than a guess, and users are told so.
FEW_IMAGES = 100
# A threshold that refuses nearly everything keeps its promise on a handful of images only.
LEAST_COVERAGE = 0.1
MAX_CURVE_POINTS = 80
OWN_EMPTY_SCENE = "images of the empty scene (background)"  # the name of the user's own ForeignSet

Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class Acceptance:
    """What a threshold, and the neighbours where there are some, do to ``num_images``: how many answers pass, how many
    of these are right, and how many are refused for being unlike anything seen in training (the others: not sure).
    """

    threshold: float
    num_images: int
    num_accepted: int
    num_correct: int
    num_unlike: int = 0

    @property
    def num_not_sure(self) -> int:
        """How many answers were refused by the score alone."""
        return self.num_images - self.num_accepted - self.num_unlike

    @property
    def coverage(self) -> float:
        """The share of accepted answers in [0, 1]."""
        return self.num_accepted / self.num_images

    @property
    def precision(self) -> float | None:
        """The share of right answers among the accepted ones in [0, 1], None when none is."""
        return self.num_correct / self.num_accepted if self.num_accepted else None


@dataclass(frozen=True)
class ThresholdFit:
    """``wanted`` is a precision in [0, 1]; ``reached`` says whether the validation images allow it at all. ``cut`` is
    the lowest accepted cosine to the neighbours, -1 without neighbours; ``wanted_acceptance`` the share of images of
    the classes that both together should accept, 0 if none was asked for. ``stricter`` is what a threshold that reaches
    the precision would do, None where this one reaches it or none can.
    """

    wanted: float
    threshold: float
    validation: Acceptance
    reached: bool
    cut: float = -1.0
    wanted_acceptance: float = 0.0
    stricter: Acceptance | None = None


@dataclass(frozen=True)
class UnknownReport:
    """How the stored threshold was fitted (None: it was given, or there were no validation images), and on the test
    images: what it does, precision over coverage, and the integer model's calibration error in [0, 1].

    ``out_of_distribution`` says how the user's images that belong to none of the classes fare (an accepted one is a
    mistake), ``foreign`` the same for the sets that ship with convert. ``cut`` is the stored one, None without
    neighbours, and ``without`` then says why. ``class_thresholds`` are those of the classes that need their own.
    """

    fit: ThresholdFit | None
    test: Acceptance
    curve: tuple[Acceptance, ...]
    calibration_error: float
    out_of_distribution: Acceptance | None = None
    foreign: tuple[ForeignSet, ...] = ()
    cut: float | None = None
    without: str = ""
    class_thresholds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ForeignSet:
    """A named set of images that belong to none of the classes, and how they fare: an accepted one is a mistake."""

    name: str
    acceptance: Acceptance


def fit_threshold(
    probabilities: Probabilities, labels: Sequence[int] | NDArray[np.int64], wanted: float
) -> ThresholdFit:
    """The lowest threshold on (n, classes) probabilities whose accepted answers are right as often as ``wanted``.

    One more wrong answer than was seen is assumed, so that a few images must all be right. Where ``wanted`` cannot be
    reached, the threshold that comes closest.

    Raises:
        DataError: there are no images, or not one label for each.
    """
    if len(probabilities) == 0 or len(probabilities) != len(labels):
        raise DataError(f"There are {len(probabilities)} scores for {len(labels)} labels; expected one row per label.")
    candidates = [apply_threshold(probabilities, labels, LOWEST)]
    best = np.sort(probabilities.max(axis=1))
    steps = np.unique(best[best >= LOWEST])
    for low, high in pairwise(steps.tolist()):
        candidates.append(apply_threshold(probabilities, labels, (low + high) / 2))
    usable = [item for item in candidates if item.coverage >= LEAST_COVERAGE] or candidates[:1]
    good = [item for item in usable if _cautious(item) >= wanted]
    chosen = good[0] if good else max(usable, key=_cautious)
    return ThresholdFit(wanted, chosen.threshold, chosen, bool(good))


def fit_threshold_on_few(
    probabilities: Probabilities, labels: Sequence[int] | NDArray[np.int64], wanted: float
) -> ThresholdFit:
    """Like `fit_threshold`, for too few images to count on: the lowest threshold whose accepted answers score at least
    ``wanted`` on average, and are right as often. Scores calibrated by a temperature say more than a few right answers.

    Raises: as `fit_threshold`.
    """
    counted = fit_threshold(probabilities, labels, wanted)
    best = np.sort(probabilities.max(axis=1))
    for low, high in pairwise([LOWEST, *np.unique(best[best >= LOWEST]).tolist()]):
        found = apply_threshold(probabilities, labels, (low + high) / 2)
        if found.coverage < LEAST_COVERAGE:
            break
        sure = float(best[best >= found.threshold].mean())
        if sure >= wanted and found.precision is not None and found.precision >= wanted:
            return ThresholdFit(wanted, found.threshold, found, reached=True)
    return counted


def relax_threshold(
    fit: ThresholdFit, probabilities: Probabilities, labels: Sequence[int] | NDArray[np.int64], allowed: float
) -> ThresholdFit:
    """``fit`` with the lowest threshold from ``allowed`` up whose accepted answers, of (n, classes) probabilities, are
    not significantly less often right than wanted (95 % interval): images of the classes are not refused for a
    shortfall that so few mistakes cannot prove.
    """
    best = np.unique(probabilities.max(axis=1)).tolist()
    start = max(allowed, LOWEST)
    higher = [(low + high) / 2 for low, high in pairwise(best) if (low + high) / 2 > start]
    for threshold in [start, *higher]:
        found = apply_threshold(probabilities, labels, threshold)
        if found.coverage < LEAST_COVERAGE:
            break
        if wilson_interval(found.num_correct, found.num_accepted)[1] >= fit.wanted:
            reached = _cautious(found) >= fit.wanted
            stricter = fit.validation if fit.reached and not reached else None
            return replace(fit, threshold=threshold, validation=found, reached=reached, stricter=stricter)
    return fit


def apply_threshold(
    probabilities: Probabilities,
    labels: Sequence[int] | NDArray[np.int64],
    threshold: float,
    similarities: NDArray[np.float32] | None = None,
    cut: float = -1.0,
    lowest: NDArray[np.float64] | None = None,
) -> Acceptance:
    """What ``threshold`` does to (n, classes) probabilities, and ``cut`` to (n,) cosines to the neighbours; label -1
    means none of the classes. ``lowest`` (classes,) is each class's own threshold, None where all have the same.
    """
    unlike = np.zeros(len(probabilities), bool) if similarities is None else similarities < cut
    limits = threshold if lowest is None else lowest[probabilities.argmax(axis=1)]
    passes = (probabilities.max(axis=1) >= limits) & ~unlike
    right = probabilities.argmax(axis=1) == np.asarray(labels)
    passed, correct = int(passes.sum()), int((passes & right).sum())
    return Acceptance(float(threshold), len(probabilities), passed, correct, int(unlike.sum()))


def trace_coverage(probabilities: Probabilities, labels: Sequence[int] | NDArray[np.int64]) -> tuple[Acceptance, ...]:
    """The Acceptance at thresholds from 0 up, at most MAX_CURVE_POINTS, each accepting at least one image, of (n,
    classes) probabilities.
    """
    best = np.sort(probabilities.max(axis=1))
    places = np.unique(np.linspace(0, len(best) - 1, MAX_CURVE_POINTS).round().astype(int))
    thresholds = [0.0, *np.unique(best[places[1:]]).tolist()]
    return tuple(apply_threshold(probabilities, labels, threshold) for threshold in thresholds)


def _cautious(item: Acceptance) -> float:
    return item.num_correct / (item.num_accepted + 1)
