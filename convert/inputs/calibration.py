"""The representative data set: class-balanced, named, seeded images of the training split, preprocessed as on the
device.

Never an image of the test split: the file's accuracy would then be measured on images that tuned it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convert.inputs.source import ImageEntry, Source
from edge_runtime.errors import DataError
from edge_runtime.pixels.preprocess import preprocess


@dataclass(frozen=True, eq=False)
class Calibration:
    """``entries`` lists the images; ``images`` holds them, (n, H, W, 3) uint8 RGB, ready for the model."""

    entries: tuple[ImageEntry, ...]
    images: NDArray[np.uint8]
    seed: int

    def counts(self, labels: Sequence[str]) -> dict[str, int]:
        """How many images there are of each label."""
        return {label: sum(entry.label == index for entry in self.entries) for index, label in enumerate(labels)}


def choose_calibration(source: Source, num_images: int, seed: int) -> Calibration:
    """``num_images`` of the source's calibration pool (all of it if it has fewer), drawn by ``seed`` and as balanced as
    the pool allows.

    Raises:
        DataError: one of the chosen images is in the test split, by its SHA-256; or an image cannot be read.
    """
    entries = _balanced(source.calibration, num_images, seed)
    tested = {entry.sha256: entry.name for entry in source.test}
    shared = [entry for entry in entries if entry.sha256 in tested]
    if shared:
        raise DataError(
            f"{len(shared)} of {len(entries)} calibration images are in the test split, first {shared[0].name} "
            f"(= {tested[shared[0].sha256]}, SHA-256 {shared[0].sha256}); expected none. Remove identical images "
            f"and train again."
        )
    images = np.stack([preprocess(entry.read(), source.spec.input) for entry in entries])
    return Calibration(entries, images, seed)


def choose_held_out(source: Source, calibration: Calibration, num_images: int) -> NDArray[np.uint8]:
    """At most ``num_images`` that ``calibration`` left in its pool, drawn in the same way: (n, H, W, 3) uint8 RGB.

    Raises:
        DataError: an image cannot be read.
    """
    num_drawn, drawn = len(calibration.entries), {entry.sha256 for entry in calibration.entries}
    left = [
        entry
        for entry in _balanced(source.calibration, num_drawn + num_images, calibration.seed)[num_drawn:]
        if entry.sha256 not in drawn
    ]
    size = source.spec.input
    images = [preprocess(entry.read(), size) for entry in left]
    return np.stack(images) if images else np.empty((0, size.height, size.width, 3), np.uint8)


def _balanced(pool: Sequence[ImageEntry], num_images: int, seed: int) -> tuple[ImageEntry, ...]:
    """One image of each class per round, each class in its own seeded order."""
    by_label: dict[int, list[ImageEntry]] = {}
    for entry in sorted(pool, key=lambda entry: entry.name):
        by_label.setdefault(entry.label, []).append(entry)
    random = np.random.default_rng(seed)
    queues = [[group[index] for index in random.permutation(len(group))] for _, group in sorted(by_label.items())]
    rounds = max(len(queue) for queue in queues)
    order = [queue[turn] for turn in range(rounds) for queue in queues if turn < len(queue)]
    return tuple(order[:num_images])
