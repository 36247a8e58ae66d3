"""Labels in another order than the outputs are noticed, and nothing else is taken for that."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from convert.measure.label_order import assign, find_better_order


@pytest.mark.parametrize("num", range(1, 6))
def test_the_assignment_is_the_best_of_all_and_moves_no_row_without_need(num: int) -> None:
    random = np.random.default_rng(num)
    for _ in range(30):
        gains = random.integers(0, 4, (num, num))
        rows = np.arange(num)
        best = max(
            (gains[rows, list(order)].sum(), (rows == order).sum()) for order in itertools.permutations(range(num))
        )
        found = assign(gains)
        assert sorted(found.tolist()) == list(range(num))
        assert (gains[rows, found].sum(), (rows == found).sum()) == best


def test_labels_in_alphabetical_order_of_a_model_with_another_one_are_found() -> None:
    # The outputs are pen, cup, ant; the file says ant, cup, pen.
    found = find_better_order([[1, 0, 19], [0, 20, 0], [18, 1, 1]], ("ant", "cup", "pen"))
    assert found is not None and found.labels == ("pen", "cup", "ant")
    assert (found.num_correct, found.num_correct_reordered, found.num_images) == (22, 57, 60)


def test_two_classes_the_wrong_way_round_are_found() -> None:
    found = find_better_order([[2, 28], [29, 1]], ("left", "right"))
    assert found is not None and found.labels == ("right", "left")


def test_a_model_that_confuses_or_guesses_is_not_taken_for_one_with_other_labels() -> None:
    assert find_better_order([[90, 10], [12, 88]], ("a", "b")) is None
    assert find_better_order([[4, 6], [7, 3]], ("a", "b")) is None, "too few images to tell"
    random = np.random.default_rng(0)
    for num in (2, 3, 5, 10):
        for _ in range(20):
            guesses = random.multinomial(100, [1 / num**2] * num**2).reshape(num, num)
            assert find_better_order(guesses.tolist(), [str(index) for index in range(num)]) is None


def test_a_class_without_images_stays_where_it_is() -> None:
    found = find_better_order([[0, 30, 0], [30, 0, 0], [0, 0, 0]], ("a", "b", "c"))
    assert found is not None and found.labels == ("b", "a", "c")
