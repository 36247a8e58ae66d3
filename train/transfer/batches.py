"""Endless batches of varied photos for tuning, prepared in a thread while the previous step computes."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.pixels.preprocess import Image
from train.training.prefetch import prefetch
from train.training.targets import AUGMENT_STREAM, ORDER_STREAM, smooth_targets
from train.transfer.features.image_store import ImageStore
from train.transfer.scenes.camera import Camera

# (n, h, w, 3) uint8 RGB pixels, (n, classes) float32 targets, (n,) float32 weights with mean 1 over the data set.
PhotoBatch = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]
VIEW_STREAM = 12
# The weight of an out-of-distribution image relative to one of a class.
OTHER_WEIGHT = 0.5


@dataclass(frozen=True)
class Photos:
    """What tuning reads: training images (larger than the input), validation images (the input itself)."""

    train: ImageStore
    train_labels: NDArray[np.int64]
    validation: ImageStore
    validation_labels: NDArray[np.int64]
    class_weights: NDArray[np.float32]
    camera: Camera


@dataclass(frozen=True)
class CameraViews:
    """Each image of ``images`` as a camera shows it, always the same way: tuning is judged on these as well."""

    images: ImageStore
    camera: Camera

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """(n, h, w, 3) uint8 RGB views of the images at ``indices``."""
        return np.stack([self._view(int(index)) for index in indices])

    def _view(self, index: int) -> Image:
        rng = np.random.default_rng([VIEW_STREAM, index])
        return self.camera.place(self.images.read(index), self.images.aspects[index], rng)


def draw_photo_batches(photos: Photos, seed: int, start: int) -> Generator[PhotoBatch, None, None]:
    """Endless batches of what the camera shows from step ``start`` on, each by (seed, step) alone.

    The images of the classes are followed by out-of-distribution ones, with the same target for every class.
    """
    recipe, camera = photos.camera.recipe, photos.camera
    num_others = round(recipe.batch_size * recipe.out_of_distribution)
    num, num_classes = len(photos.train_labels), len(photos.class_weights)
    a_pass = max(1, num // recipe.batch_size)

    def batch(step: int) -> PhotoBatch:
        order = np.random.default_rng([seed, ORDER_STREAM, step // a_pass]).permutation(num)
        indices = order[step % a_pass * recipe.batch_size :][: recipe.batch_size]
        rng = np.random.default_rng([seed, AUGMENT_STREAM, step])
        images = [camera.show(photos.train.read(index), photos.train.aspects[index], rng) for index in indices.tolist()]
        others = rng.integers(0, num, num_others)
        images += [camera.show_out_of_distribution(photos.train.read(index), rng) for index in others.tolist()]
        labels = photos.train_labels[indices]
        targets = smooth_targets(labels, num_classes, recipe.label_smoothing)
        uniform = np.full((num_others, num_classes), 1 / num_classes, np.float32)
        weights = photos.class_weights[labels]
        return (
            np.stack(images),
            np.concatenate([targets, uniform]),
            np.concatenate([weights, np.full(num_others, OTHER_WEIGHT, np.float32)]),
        )

    def endless() -> Iterator[PhotoBatch]:
        step = start
        while True:
            yield batch(step)
            step += 1

    return prefetch(endless())
