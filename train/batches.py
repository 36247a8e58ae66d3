"""Batches for training, prepared in a thread while the previous step computes; the seed alone decides their order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from train.augment import Batch, Shifts, Targets, augment
from train.config import Recipe
from train.datasets.dataset import Split

Item = TypeVar("Item")
PREFETCH = 4
ORDER_STREAM, AUGMENT_STREAM = 10, 11


@dataclass(frozen=True)
class Lesson:
    """One epoch's shifts of all pictures of a split, a teacher's (n, classes) float32 probabilities for them, and the
    share of the targets that these are; the labels are the rest.
    """

    shifts: Shifts
    probabilities: Targets
    share: float


def num_batches(split: Split, batch_size: int) -> int:
    """Batches an epoch; an incomplete last one is left out (other pictures each epoch) unless it is the only one."""
    return max(1, len(split.labels) // batch_size)


def epoch_batches(
    split: Split, num_classes: int, recipe: Recipe, seed: int, epoch: int, lesson: Lesson | None = None
) -> Iterator[tuple[Batch, Targets]]:
    """The (images (n, h, w, 3) uint8 RGB, targets (n, classes) float32) of one epoch, augmented."""
    order = np.random.default_rng([seed, ORDER_STREAM, epoch]).permutation(len(split.labels))

    def batch(number: int) -> tuple[Batch, Targets]:
        indices = order[number * recipe.batch_size : (number + 1) * recipe.batch_size]
        rng = np.random.default_rng([seed, AUGMENT_STREAM, epoch, number])
        targets = smoothed_targets(split.labels[indices], num_classes, recipe.label_smoothing)
        if lesson is None:
            return augment(split.read(indices), targets, recipe, rng)
        targets = lesson.probabilities[indices] * np.float32(lesson.share) + targets * np.float32(1 - lesson.share)
        return augment(split.read(indices), targets, recipe, rng, lesson.shifts.pick(indices))

    return ahead(batch(number) for number in range(num_batches(split, recipe.batch_size)))


def smoothed_targets(labels: NDArray[np.int64], num_classes: int, smoothing: float) -> Targets:
    """(n, num_classes) float32 rows that sum to 1: 1 - smoothing on the label, the rest spread evenly."""
    targets = np.full((len(labels), num_classes), smoothing / num_classes, np.float32)
    targets[np.arange(len(labels)), labels] += 1 - smoothing
    return targets


def ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """The items of ``items``, computed up to PREFETCH ahead in a thread; an error there is raised here."""
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(PREFETCH)
    stopped = threading.Event()

    def offer(item: tuple[str, Any]) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not offer(("item", item)):
                    return
            offer(("end", None))
        except BaseException as error:  # handed over and raised in the consumer
            offer(("error", error))

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = ready.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        stopped.set()
        thread.join()
