"""Endless batches of varied photos for tuning, prepared in a thread while the previous step computes."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.recipes.transfer_config import TransferRecipe
from train.training.prefetch import prefetch
from train.training.targets import AUGMENT_STREAM, ORDER_STREAM, smooth_targets
from train.transfer.augment import vary
from train.transfer.features.image_store import ImageStore

# (n, h, w, 3) uint8 RGB pixels, (n, classes) float32 targets, (n,) float32 weights with mean 1 over the data set.
PhotoBatch = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Photos:
    """What tuning reads: training images (larger than the input), validation images (the input itself)."""

    train: ImageStore
    train_labels: NDArray[np.int64]
    validation: ImageStore
    validation_labels: NDArray[np.int64]
    class_weights: NDArray[np.float32]


def photo_batches(
    photos: Photos, recipe: TransferRecipe, seed: int, start: int, size: tuple[int, int]
) -> Generator[PhotoBatch, None, None]:
    """Endless batches of images of ``size`` (height, width) from step ``start`` on, each by (seed, step) alone."""
    num, num_classes = len(photos.train_labels), len(photos.class_weights)
    a_pass = max(1, num // recipe.batch_size)

    def batch(step: int) -> PhotoBatch:
        order = np.random.default_rng([seed, ORDER_STREAM, step // a_pass]).permutation(num)
        indices = order[step % a_pass * recipe.batch_size :][: recipe.batch_size]
        rng = np.random.default_rng([seed, AUGMENT_STREAM, step])
        images = np.stack([vary(photos.train.read(int(index)), *size, recipe, rng) for index in indices])
        labels = photos.train_labels[indices]
        return images, smooth_targets(labels, num_classes, recipe.label_smoothing), photos.class_weights[labels]

    def endless() -> Iterator[PhotoBatch]:
        step = start
        while True:
            yield batch(step)
            step += 1

    return prefetch(endless())
