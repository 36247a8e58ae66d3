"""Each rule of the accuracy gate alone: what it must refuse, and the nearest case that it must let pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from convert.inputs.source import ImageEntry
from convert.measure.gate import FLOAT, compare_with_float, find_refusals
from convert.tflite.audit import audit

LABELS = ("a", "b")


def probabilities(answers: np.ndarray) -> np.ndarray:
    return np.where(np.arange(2) == answers[:, None], 0.9, 0.1).astype(np.float32)


def decide(truth, float_answers, answers, toy: bytes, max_drop: float = 1.0, **changes) -> tuple[str, ...]:
    entries = [ImageEntry(str(index), int(label), Path("x"), None, "") for index, label in enumerate(truth)]
    scores = {FLOAT: probabilities(float_answers), "litert": probabilities(answers)}
    if "spoil" in changes:
        changes["spoil"](scores)
    backend = compare_with_float(scores[FLOAT], scores["litert"], entries, LABELS, ("litert", "litert-xnnpack"))
    return find_refusals(scores, truth, [backend], replace(audit(toy), **changes.get("audit", {})), max_drop)


TRUTH = np.tile([0, 1], 500)


def wrong_on(count: int) -> np.ndarray:
    """Answers that miss the first ``count`` images of 1,000."""
    return np.where(np.arange(1000) < count, 1 - TRUTH, TRUTH)


def test_the_same_answers_pass(toy: bytes) -> None:
    assert decide(TRUTH, TRUTH, TRUTH, toy) == ()


def test_a_large_and_significant_drop_is_refused(toy: bytes) -> None:
    (refusal,) = decide(TRUTH, TRUTH, wrong_on(20), toy)
    assert refusal.startswith("accuracy: litert loses 2.00 points") and "expected at most 1" in refusal


def test_a_significant_drop_within_the_limit_passes(toy: bytes) -> None:
    assert decide(TRUTH, TRUTH, wrong_on(10), toy) == ()
    assert decide(TRUTH, TRUTH, wrong_on(20), toy, max_drop=2.0) == ()
    assert decide(TRUTH, TRUTH, wrong_on(20), toy, max_drop=1.9)


def test_a_large_drop_that_chance_explains_passes(toy: bytes) -> None:
    few = TRUTH[:60]
    answers = np.where(np.arange(60) < 4, 1 - few, few)
    assert decide(few, few, answers, toy) == ()
    assert decide(np.tile(few, 3), np.tile(few, 3), np.tile(answers, 3), toy)


def test_an_integer_model_that_is_better_passes(toy: bytes) -> None:
    assert decide(TRUTH, wrong_on(50), TRUTH, toy) == ()


@pytest.mark.parametrize("which", [FLOAT, "litert"])
def test_a_model_that_answers_one_class_only_is_refused_whatever_its_drop(toy: bytes, which: str) -> None:
    ones = np.ones(1000, int)
    both = {FLOAT: (ones, TRUTH), "litert": (TRUTH, ones)}[which]
    assert any(
        f"{which} answers class 1 for all 1000 images" in refusal for refusal in decide(TRUTH, *both, toy, max_drop=100)
    )


def test_a_few_images_that_get_one_answer_do_not_make_a_model_broken(toy: bytes) -> None:
    two, ones = np.array([0, 1]), np.array([1, 1])
    assert decide(two, ones, ones, toy) == ()
    eight = np.tile(two, 4)
    assert decide(eight, np.ones(8, int), np.ones(8, int), toy)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("which", [FLOAT, "litert"])
def test_an_output_that_is_no_number_is_refused(toy: bytes, which: str, value: float) -> None:
    def spoil(scores) -> None:
        scores[which][7, 0] = value

    refusals = decide(TRUTH, TRUTH, TRUTH, toy, max_drop=100, spoil=spoil)
    assert any(f"the {which} output is not a number for 1 of 1000 images" in refusal for refusal in refusals)


def test_degenerate_scales_and_floats_are_refused_whatever_the_drop(toy: bytes) -> None:
    assert decide(TRUTH, TRUTH, TRUTH, toy, audit={"degenerate": ("tensor 3 has bad scales",)}) == (
        "broken: tensor 3 has bad scales",
    )
    assert decide(TRUTH, TRUTH, TRUTH, toy, audit={"tensor_problems": ("tensor 3 is float32",)}) == (
        "not full integer: tensor 3 is float32",
    )


def test_flips_list_lost_right_answers_first_and_surest_first() -> None:
    entries = [ImageEntry(name, 0, Path("x"), None, "") for name in ("sure", "wrong before", "unsure", "same")]
    before = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], np.float32)
    after = np.array([[0.4, 0.6], [0.9, 0.1], [0.3, 0.7], [0.7, 0.3]], np.float32)
    report = compare_with_float(before, after, entries, LABELS, ("litert", "k"))
    assert [flip.image for flip in report.flips] == ["sure", "unsure", "wrong before"]
    assert (report.only_float_right, report.only_integer_right, report.agreement) == (2, 1, 0.25)
    assert report.drop == pytest.approx(0.25) and report.num_correct == 2
