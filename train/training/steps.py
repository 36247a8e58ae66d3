"""One epoch's steps, for every way of training: a step per batch, and an end in words when the loss breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

from edge_runtime.errors import DataError

Item = TypeVar("Item")


def take_steps(
    batches: Iterable[Item],
    step: Callable[[int, Item], float],
    report: Callable[[int, float], None],
    *,
    place: str,
    peak_rate: float,
) -> float:
    """Takes ``step`` for each of ``batches``; returns the mean loss, NaN without batches.

    ``step`` gets the batch's number, from 0, and the batch, and returns its loss; after each, ``report`` gets the
    number done and the loss. ``place`` ("in epoch 3") and ``peak_rate``, the highest learning rate, are for the error.

    Raises:
        DataError: a loss is not a finite number.
    """
    losses: list[float] = []
    for number, batch in enumerate(batches):
        losses.append(step(number, batch))
        report(number + 1, losses[-1])
    if not np.isfinite(losses).all():
        raise DataError(
            f"The loss is not a number any more {place}, expected a finite one; lower the learning rate ({peak_rate})."
        )
    return float(np.mean(losses)) if losses else float("nan")
