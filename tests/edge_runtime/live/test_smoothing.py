"""k of n votes: a label is shown only when enough of the last frames agree."""

from __future__ import annotations

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.live.smoothing import Hold, Smoother, parse_hold


def test_a_label_needs_k_votes_of_the_last_n_frames() -> None:
    smoother = Smoother(Hold(3, 5))
    shown = []
    changes = []
    for label in ["a", "a", "b", "a", "c", "b", "b", "c", "b", "b"]:
        changes.append(smoother.add(label))
        shown.append(smoother.label)
    assert shown == [None, None, None, "a", "a", "a", "b", "b", "b", "b"]
    assert changes == [False, False, False, True, False, False, True, False, False, False]


def test_one_of_one_shows_every_label_at_once() -> None:
    smoother = Smoother(Hold(1, 1))
    assert [smoother.add(label) for label in "aab"] == [True, False, True]


def test_the_shown_label_keeps_the_score_of_its_own_votes() -> None:
    smoother = Smoother(Hold(2, 3))
    scores = []
    for label, score in [("a", 0.9), ("a", 0.8), ("b", 0.6), ("a", 0.7), ("b", 0.5)]:
        smoother.add(label, score)
        scores.append((smoother.label, smoother.score))
    assert scores == [(None, None), ("a", 0.8), ("a", 0.8), ("a", 0.7), ("b", 0.5)]


def test_a_reset_forgets_votes_and_label() -> None:
    smoother = Smoother(Hold(2, 3))
    smoother.add("a")
    smoother.add("a")
    smoother.reset()
    assert smoother.label is None
    assert not smoother.add("a")


def test_the_flag_reads_k_slash_n() -> None:
    assert parse_hold("3/5") == Hold(3, 5)


@pytest.mark.parametrize("text", ["3", "3/", "/5", "a/b", "3/5/7", "-1/3", "", "9" * 5000 + "/1", "1/" + "9" * 5000])
def test_a_hold_that_is_not_k_slash_n_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"`hold` is '.*', expected K/N such as 3/5"):
        parse_hold(text)


@pytest.mark.parametrize("text", ["0/5", "6/5", "1/1001"])
def test_a_hold_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected K/N with 1 <= K <= N <= 1000"):
        parse_hold(text)
