"""One epoch of training a network from scratch or while it is pruned: its steps, then the validation split."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from train.datasets.dataset import Dataset
from train.training.logits import Forward, compute_logits
from train.training.steps import take_steps


class Learner(Protocol):
    """What is trained, and ``model``, the stock network that is evaluated and saved."""

    model: keras.Model
    forward: Forward

    def step(self, images: NDArray[np.uint8], targets: NDArray[np.float32], rate: float) -> tuple[float, int]:
        """One update by (n, h, w, 3) uint8 RGB images and (n, classes) float32 targets; (loss, images that agree)."""

    def finish_epoch(self) -> None:
        """Copies what was learnt into ``model``."""


def train_epoch(
    learner: Learner,
    dataset: Dataset,
    batches: Iterable[tuple[NDArray[np.uint8], NDArray[np.float32]]],
    rate_of: Callable[[int], float],
    report: Callable[[int, int, int, float], None],
    *,
    epoch: int,
    num_steps: int,
    peak_rate: float,
) -> dict[str, float]:
    """Trains through ``batches`` and evaluates; returns the epoch's row of the history, counted from 1, with its time.

    ``epoch`` counts from 0, each has ``num_steps``; ``rate_of`` gives the learning rate of a step, counted through all
    epochs; ``report`` gets the epoch, how many of its steps are done, ``num_steps`` and the last loss. Accuracies are
    in [0, 1].

    Raises:
        DataError: the loss became NaN or infinite.
    """
    started_s = time.monotonic()
    hits = seen = 0

    def step(number: int, batch: tuple[NDArray[np.uint8], NDArray[np.float32]]) -> float:
        nonlocal hits, seen
        loss, num_right = learner.step(*batch, rate_of(epoch * num_steps + number))
        hits, seen = hits + num_right, seen + len(batch[0])
        return loss

    loss = take_steps(
        batches,
        step,
        lambda done, loss: report(epoch, done, num_steps, loss),
        place=f"in epoch {epoch + 1}",
        peak_rate=peak_rate,
    )
    learner.finish_epoch()
    answers = compute_logits(learner.model, dataset.validation, learner.forward).argmax(axis=1)
    return {
        "epoch": epoch + 1,
        "loss": loss,
        "train_accuracy": hits / seen,
        "validation_accuracy": float(np.mean(answers == dataset.validation.labels)),
        "seconds": round(time.monotonic() - started_s, 2),
    }
