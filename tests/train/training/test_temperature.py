"""The temperature makes probabilities honest, changes no answer, and travels inside the last layer."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.errors import InternalError

keras = pytest.importorskip("keras", reason="needs Keras, the workstation's environment")
pytestmark = pytest.mark.tensorflow

from train.training.temperature import HIGHEST, cross_entropy, fit_temperature, fold_temperature, softmax  # noqa: E402


def honest_logits(num: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the true distribution that the labels were drawn from."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (num, 4)).astype(np.float32)
    draws = rng.random((num, 1))
    labels = (softmax(logits).cumsum(axis=1) < draws).sum(axis=1).clip(0, 3)
    return logits, labels.astype(np.int64)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_overconfident_and_timid_logits_get_the_factor_that_spoilt_them(factor: float) -> None:
    logits, labels = honest_logits(4000)
    fit = fit_temperature(logits * np.float32(factor), labels)
    assert fit.temperature == pytest.approx(factor, rel=0.1)
    assert fit.error_after <= fit.error_before + 0.01
    assert fit.num_images == 4000


def test_a_perfect_answer_on_few_images_does_not_become_certainty_beyond_the_limit() -> None:
    logits = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    assert fit_temperature(logits, np.array([0, 1])).temperature == pytest.approx(0.2, rel=0.01)
    assert fit_temperature(-logits, np.array([0, 1])).temperature == pytest.approx(HIGHEST, rel=0.01)


def test_few_images_hardly_move_the_expected_temperature_and_many_ignore_it() -> None:
    few, labels = honest_logits(12)
    right = few.argmax(axis=1)
    alone, drawn = fit_temperature(few, right), fit_temperature(few, right, expected=0.8)
    assert alone.temperature == pytest.approx(0.2, rel=0.01), "all right: as sure as it may be"
    assert 0.4 < drawn.temperature < 0.8 and drawn.expected == 0.8 and alone.expected is None
    many, labels = honest_logits(4000)
    assert fit_temperature(many, labels, expected=0.3).temperature == pytest.approx(1.0, rel=0.1)


def test_folding_divides_the_logits() -> None:
    pixels = keras.Input((5,))
    model = keras.Model(pixels, keras.layers.Dense(3, bias_initializer="ones")(pixels))
    inputs = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    before = np.asarray(model(inputs))
    fold_temperature(model, 2.5)
    np.testing.assert_allclose(np.asarray(model(inputs)), before / 2.5, rtol=1e-5)


def test_a_model_that_does_not_end_in_dense_cannot_take_a_temperature() -> None:
    pixels = keras.Input((5,))
    model = keras.Model(pixels, keras.layers.ReLU()(keras.layers.Dense(3)(pixels)))
    with pytest.raises(InternalError, match=r"The last layer is ReLU, expected Dense"):
        fold_temperature(model, 2.0)


def test_cross_entropy_of_even_scores_is_the_logarithm_of_the_classes() -> None:
    assert cross_entropy(np.zeros((3, 4), np.float32), np.array([0, 1, 2])) == pytest.approx(np.log(4))
