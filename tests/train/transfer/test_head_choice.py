"""Whether a mirror image is the same thing is decided on images that the heads were not fitted on, and by no chance."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs TensorFlow, the workstation's environment")
pytestmark = pytest.mark.tensorflow

from train.transfer.head_choice import ENOUGH_IMAGES, NUM_FOLDS, Views, _much_better, choose_head, compute_losses  # noqa: E402

NUM_FEATURES = 8


def views(num: int, *, sided: bool, seed: int) -> Views:
    """Two classes told by the first feature; in a ``sided`` set the mirror image is what the other class looks like."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 2
    features = rng.normal(0, 0.3, (num, 2, NUM_FEATURES)).astype(np.float32)
    sign = (2 * labels - 1)[:, None] * np.array([1, -1 if sided else 1])
    features[:, :, 0] += sign
    return Views(features, labels.astype(np.int64))


def choose(training: Views, validation: Views, flip: str = "auto"):  # type: ignore[no-untyped-def]
    return choose_head(training, validation, np.ones(2, np.float32), 0, 0.1, flip)


def test_mirrored_views_stay_where_they_do_no_harm() -> None:
    choice = choose(views(300, sided=False, seed=0), views(ENOUGH_IMAGES, sided=False, seed=1))
    assert choice.mirrored and choice.decided
    assert (choice.num_images, choice.num_folds) == (ENOUGH_IMAGES, 1) and choice.cross_validated is None
    assert "mirrored views on:" in choice.sentence() and f"on {ENOUGH_IMAGES} validation images" in choice.sentence()


def test_left_and_right_are_learnt_apart_where_they_matter() -> None:
    choice = choose(views(300, sided=True, seed=0), views(ENOUGH_IMAGES, sided=True, seed=1))
    assert not choice.mirrored
    assert choice.accuracies[1] > 0.95 > choice.accuracies[0]
    plain = views(100, sided=True, seed=2)
    assert np.mean(choice.head.logits(plain.features[:, 0]).argmax(axis=1) == plain.labels) > 0.95
    assert "left and right matter here" in choice.sentence()


@pytest.mark.usefixtures("brief_heads")
def test_a_small_validation_split_is_cross_validated() -> None:
    choice = choose(views(60, sided=True, seed=0), views(8, sided=True, seed=1))
    assert not choice.mirrored
    assert (choice.num_images, choice.num_folds) == (68, NUM_FOLDS)
    assert "cross-validated in 5 folds" in choice.sentence()
    assert choice.facts()["num_images"] == 68
    assert choice.cross_validated is not None
    answers = choice.cross_validated
    assert np.mean(answers.logits.argmax(axis=1) == answers.labels) == pytest.approx(choice.accuracy)


@pytest.mark.usefixtures("brief_heads")
@pytest.mark.parametrize(("flip", "mirrored"), [("on", True), ("off", False)])
def test_who_says_it_decides(flip: str, mirrored: bool) -> None:
    choice = choose(views(60, sided=mirrored, seed=0), views(8, sided=mirrored, seed=1), flip)
    assert (choice.mirrored, choice.decided) == (mirrored, False)
    assert f"mirrored views {flip}, as --flip says" in choice.sentence()


def test_a_difference_that_chance_explains_decides_nothing() -> None:
    rng = np.random.default_rng(0)
    losses = rng.exponential(0.5, 200)
    assert not _much_better(losses, losses + rng.normal(0, 0.2, 200))
    assert _much_better(losses, losses + rng.normal(0.2, 0.2, 200))
    assert not _much_better(losses[:1], losses[:1] + 1)


def test_losses_are_those_of_the_labels() -> None:
    logits = np.log(np.array([[0.9, 0.1], [0.25, 0.75]], np.float32))
    np.testing.assert_allclose(compute_losses(logits, np.array([0, 0])), [-np.log(0.9), -np.log(0.25)], rtol=1e-5)
