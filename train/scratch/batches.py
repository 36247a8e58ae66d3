"""Batches for training, prepared in a thread while the previous step computes; the seed alone decides their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from train.datasets.dataset import Split
from train.recipes.config import Recipe
from train.scratch.augment import Shifts, augment
from train.training.prefetch import prefetch
from train.training.targets import AUGMENT_STREAM, ORDER_STREAM, Images, Targets, smooth_targets


@dataclass(frozen=True)
class Lesson:
    """One epoch's shifts of all images of a split, a teacher's (n, classes) float32 probabilities for them, and the
    share of the targets that these are; the labels are the rest.
    """

    shifts: Shifts
    probabilities: Targets
    share: float


def count_batches(split: Split, batch_size: int) -> int:
    """Batches per epoch; an incomplete last one is left out (different images each epoch) unless it is the only one."""
    return max(1, len(split.labels) // batch_size)


def draw_epoch_batches(
    split: Split, num_classes: int, recipe: Recipe, seed: int, epoch: int, lesson: Lesson | None = None
) -> Iterator[tuple[Images, Targets]]:
    """The (images (n, h, w, 3) uint8 RGB, targets (n, classes) float32) of one epoch, augmented."""
    order = np.random.default_rng([seed, ORDER_STREAM, epoch]).permutation(len(split.labels))

    def batch(number: int) -> tuple[Images, Targets]:
        indices = order[number * recipe.batch_size : (number + 1) * recipe.batch_size]
        rng = np.random.default_rng([seed, AUGMENT_STREAM, epoch, number])
        targets = smooth_targets(split.labels[indices], num_classes, recipe.label_smoothing)
        if lesson is None:
            return augment(split.read(indices), targets, recipe, rng)
        targets = lesson.probabilities[indices] * np.float32(lesson.share) + targets * np.float32(1 - lesson.share)
        return augment(split.read(indices), targets, recipe, rng, lesson.shifts.pick(indices))

    return prefetch(batch(number) for number in range(count_batches(split, recipe.batch_size)))
