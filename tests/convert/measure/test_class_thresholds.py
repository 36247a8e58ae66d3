"""A class that is surely wrong too often gets a higher threshold; no class gets a lower one."""

from __future__ import annotations

import numpy as np
import pytest

from convert.measure.class_thresholds import fit_class_thresholds, list_lowest
from convert.measure.neighbours import Scores
from convert.measure.threshold import Acceptance, ThresholdFit, apply_threshold

LABELS = ("cup", "pen")


def make_scores(cups: list[tuple[float, bool]], num_pens: int = 40) -> Scores:
    """Answers "cup" with these scores, right or not, and right answers "pen" with 0.99."""
    rows = [[score, 1 - score] for score, _ in cups] + [[0.01, 0.99]] * num_pens
    labels = [0 if right else 1 for _, right in cups] + [1] * num_pens
    return Scores(np.array(rows, np.float32), np.ones(len(rows), np.float32), np.array(labels))


def make_fit(own: Scores, threshold: float = 0.6, cut: float = -1.0) -> ThresholdFit:
    return ThresholdFit(0.95, threshold, Acceptance(threshold, len(own.labels), 1, 1), reached=True, cut=cut)


UNSURE_CUPS = [(0.7, False)] * 12 + [(0.75, True)] * 3 + [(0.9, True)] * 30


def test_a_class_that_is_wrong_at_low_scores_gets_its_own_threshold() -> None:
    own = make_scores(UNSURE_CUPS)
    found = fit_class_thresholds(own, make_fit(own), LABELS)
    assert found == {"cup": pytest.approx(0.725)}
    lowest = list_lowest(LABELS, 0.6, found)
    assert lowest.tolist() == [pytest.approx(0.725), 0.6]
    before = apply_threshold(own.probabilities, own.labels, 0.6)
    after = apply_threshold(own.probabilities, own.labels, 0.6, lowest=lowest)
    assert before.num_accepted - after.num_accepted == 12 and after.precision == 1.0


def test_no_more_of_a_class_is_refused_than_its_mistakes_surely_ask_for() -> None:
    own = make_scores([(0.7, False)] * 9 + [(0.75, False)] * 2 + [(0.9, True)] * 30)
    assert fit_class_thresholds(own, make_fit(own), LABELS) == {"cup": pytest.approx(0.725)}, "30 of 32 may be 95 %"


def test_of_many_classes_none_is_raised_for_what_chance_does_to_one_of_them() -> None:
    own = make_scores([(0.7, False)] * 7 + [(0.9, True)] * 40)
    assert list(fit_class_thresholds(own, make_fit(own), LABELS)) == ["cup"]
    many = (*LABELS, *(f"other {number}" for number in range(60)))
    wider = np.pad(own.probabilities, ((0, 0), (0, 60)))
    assert fit_class_thresholds(Scores(wider, own.similarities, own.labels), make_fit(own), many) == {}


@pytest.mark.parametrize(
    "cups",
    [
        [(0.9, True)] * 30,
        [(0.7, False)] * 1 + [(0.9, True)] * 20,  # one mistake is chance
        [(0.7, False)] * 12 + [(0.9, True)] * 8,  # too few answers would be left
        [(0.7 + 0.01 * (n % 20), n % 2 == 0) for n in range(60)],  # no threshold tells right from wrong
    ],
)
def test_otherwise_the_common_threshold_stays(cups: list[tuple[float, bool]]) -> None:
    own = make_scores(cups)
    assert fit_class_thresholds(own, make_fit(own), LABELS) == {}


def test_what_the_neighbours_refuse_does_not_count() -> None:
    own = make_scores(UNSURE_CUPS)
    strange = np.where(own.probabilities[:, 0] < 0.72, 0.1, 1.0).astype(np.float32)
    strange[own.labels == 1] = np.where(own.probabilities[own.labels == 1, 1] > 0.9, 1.0, 0.1)
    apart = Scores(own.probabilities, strange, own.labels)
    assert fit_class_thresholds(apart, make_fit(own, cut=0.5), LABELS) == {}
