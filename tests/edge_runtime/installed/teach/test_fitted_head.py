"""The head that is fitted in NumPy: its left-out answers are those of fits that really left the photo out."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.installed.teach import fitted_head
from edge_runtime.installed.teach.fitted_head import fit_head, softmax_rows
from edge_runtime.installed.teach.unknown import choose_cut, choose_threshold, count_right


def clouds(num: int, apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(3 * num, 2, 40) features of three classes, two views of each photo, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), num)
    centres = apart * rng.normal(0, 1, (3, 40))
    photos = centres[labels] + rng.normal(0, 1, (len(labels), 40))
    views = photos[:, None] + rng.normal(0, 0.2, (len(labels), 2, 40))
    return views.astype(np.float32), labels


def test_the_logits_tell_the_classes_apart_on_photos_that_were_not_fitted() -> None:
    features, labels = clouds(10, 1.0)
    fitted = fit_head(features, labels, 3)
    others, answers = clouds(200, 1.0)
    guessed = (others[:, 0] @ fitted.kernel + fitted.bias).argmax(axis=1)
    assert (guessed == answers).mean() > 0.95
    assert fitted.kernel.dtype == np.float32 and fitted.kernel.shape == (40, 3)


def test_a_left_out_photo_gets_what_a_fit_without_it_and_one_of_each_other_class_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fitted_head, "PENALTIES", (0.5,))
    monkeypatch.setattr(fitted_head, "SHARPNESSES", (4.0,))
    features, labels = clouds(8, 0.5)
    left_out = fit_head(features, labels, 3).left_out
    for photo in (0, 9, 23):
        rest = np.arange(len(labels)) % 8 != photo % 8
        without = fit_head(features[rest], labels[rest], 3)
        shares = softmax_rows((features[photo, :1] @ without.kernel + without.bias).astype(np.float64))[0]
        assert shares.argmax() == left_out[photo].argmax()
        np.testing.assert_allclose(shares, left_out[photo], atol=0.03)


def test_features_that_say_nothing_are_not_recognised_when_left_out() -> None:
    features, labels = clouds(20, 0.0)
    fitted = fit_head(features, labels, 3)
    assert sum(count_right(fitted.left_out, labels, 3)) < 35
    assert fitted.left_out.max() < 0.75, "and are not sure of themselves"


def test_a_class_with_more_photos_is_no_more_likely_for_that() -> None:
    features, labels = clouds(20, 0.3)
    kept = np.r_[0:20, 20:26, 40:46]
    fitted = fit_head(features[kept], labels[kept], 3)
    others, answers = clouds(200, 0.3)
    guessed = (others[:, 0] @ fitted.kernel + fitted.bias).argmax(axis=1)
    shares = np.bincount(guessed, minlength=3) / len(answers)
    assert shares.max() < 0.55


def test_the_threshold_is_where_nine_of_ten_left_out_photos_are_right() -> None:
    best = np.linspace(0.51, 0.99, 200).astype(np.float32)
    left_out = np.stack([best, 1 - best], axis=1)
    assert choose_threshold(left_out, np.where(best < 0.62, 1, 0)) == 0.6
    assert choose_threshold(left_out, np.zeros(200, int)) == 0.5, "nothing is wrong"
    assert choose_threshold(left_out, np.ones(200, int)) == 0.75, "half of the photos pass at least"


def test_one_photo_in_twenty_may_be_unlike_the_others() -> None:
    rng = np.random.default_rng(1)
    rows = np.clip(rng.normal(60, 4, (40, 30)), 0, 127).astype(np.int8)
    rows[7] = 0
    rows[7, :3] = 120
    cut = choose_cut(rows, 0)
    assert 0.9 < cut < 1.0
