"""The calibration error is how far probabilities are from how often they are right."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.errors import DataError
from edge_runtime.metrics import calibration_error


def two_classes(best: np.ndarray) -> np.ndarray:
    return np.stack([best, 1 - best], axis=1)


def test_probabilities_that_are_as_right_as_they_say_have_none() -> None:
    probabilities = two_classes(np.full(100, 0.8))
    assert calibration_error(probabilities, [0] * 80 + [1] * 20, num_bins=1) == pytest.approx(0.0)


def test_certainty_that_is_wrong_half_of_the_time_has_a_half() -> None:
    assert calibration_error(two_classes(np.ones(10)), [0, 1] * 5, num_bins=1) == pytest.approx(0.5)


def test_bins_hold_equally_many_images_and_errors_of_both_signs_do_not_cancel() -> None:
    probabilities = two_classes(np.array([0.6] * 10 + [0.9] * 10))
    labels = [0] * 10 + [1] * 10  # 0.6 is always right, 0.9 never
    assert calibration_error(probabilities, labels, num_bins=2) == pytest.approx((0.4 + 0.9) / 2)


def test_scores_without_labels_are_refused() -> None:
    with pytest.raises(DataError, match=r"The probabilities are \(2, 2\) for 1 labels; expected one row per label"):
        calibration_error(np.ones((2, 2)), [0])
