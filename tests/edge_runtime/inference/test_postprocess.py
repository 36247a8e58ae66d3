"""Pins how numbers become an answer, with literal arrays."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edge_runtime.errors import ModelError
from edge_runtime.inference.postprocess import (
    NOT_SURE,
    UNKNOWN,
    ClassScore,
    Prediction,
    predict,
    probabilities,
    softmax,
)

LABELS = ("red", "green", "blue")


def test_the_best_class_comes_first_and_ties_go_to_the_lower_index():
    answer = predict(np.array([0.25, 0.5, 0.5], np.float32), LABELS, 0.0, 2)
    assert answer == Prediction(1, "green", 0.5, (ClassScore("green", 0.5), ClassScore("blue", 0.5)), False)


def test_below_the_threshold_the_label_is_unknown_and_the_rest_stays():
    answer = predict(np.array([0.25, 0.5, 0.25], np.float32), LABELS, 0.51)
    assert (answer.label, answer.unknown, answer.index, answer.score, answer.top[0].label) == (
        UNKNOWN, True, 1, 0.5, "green",
    )  # fmt: skip


def test_a_class_may_need_more_than_the_others():
    scores, lowest = np.array([0.25, 0.5, 0.25], np.float32), [0.1, 0.6, 0.1]
    assert predict(scores, LABELS, lowest).unknown and predict(scores, LABELS, lowest).reason == NOT_SURE
    assert predict(scores[[1, 0, 2]], LABELS, lowest).label == LABELS[0]


def test_at_the_threshold_the_label_is_known():
    assert predict(np.array([0.25, 0.5, 0.25], np.float32), LABELS, 0.5).label == "green"


def test_more_top_classes_than_there_are_gives_all():
    assert [score.label for score in predict(np.array([0.2, 0.3, 0.5]), LABELS, 0.0, 9).top] == ["blue", "green", "red"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_result_that_is_not_a_number_is_an_error_not_a_label(place):
    scores = np.array([0.2, 0.3, 0.5], np.float32)
    scores[place] = np.nan
    with pytest.raises(
        ModelError, match="output is not a number for this frame; the model is broken, train or convert"
    ):
        predict(scores, LABELS, 0.0)


@pytest.mark.parametrize("num_classes", [1, 10, 64, 65, 1001])
def test_few_and_many_classes_are_ranked_alike(num_classes):
    scores = np.random.default_rng(5).integers(0, 9, num_classes).astype(np.float32)  # many are equal
    expected = np.argsort(-scores, kind="stable")[:3].tolist()
    answer = predict(scores, [str(index) for index in range(num_classes)], 0.0)
    assert [int(entry.label) for entry in answer.top] == expected
    assert [entry.score for entry in answer.top] == scores[expected].tolist()
    assert (answer.index, answer.score) == (expected[0], scores.max())
    scores[num_classes // 2] = np.nan
    with pytest.raises(ModelError, match="output is not a number for this frame"):
        predict(scores, [""] * num_classes, 0.0)


def test_softmax_holds_for_large_logits():
    assert softmax(np.array([1000.0, 1000.0], np.float32)).tolist() == [0.5, 0.5]


def test_softmax_is_applied_to_logits_only(toy_contract):
    contract = toy_contract("uint8")
    stored = np.array([[128, 64, 0]], np.uint8)
    assert probabilities(stored, contract).tolist() == [0.5, 0.25, 0.0]
    logits = dataclasses.replace(contract, spec=dataclasses.replace(contract.spec, output="logits"))
    expected = np.exp([0.5, 0.25, 0.0]) / np.exp([0.5, 0.25, 0.0]).sum()
    assert probabilities(stored[0], logits) == pytest.approx(expected, abs=1e-6)
