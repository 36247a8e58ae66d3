"""Measures how often a model is still right when the images get worse, with the device's own code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convert.measure.corruptions import CORRUPTIONS, NUM_STRENGTHS, Corruption, Image
from convert.output.progress import with_progress
from edge_runtime.inference.classifier import Classifier


@dataclass(frozen=True)
class Robustness:
    """Accuracies in [0, 1] on ``num_images`` test images: as they are, and for each corruption at five strengths."""

    num_images: int
    backend: str
    clean: float
    accuracies: dict[str, tuple[float, ...]]

    @property
    def mean(self) -> float:
        """The mean over all corruptions and strengths, equally weighted."""
        return float(np.mean(list(self.accuracies.values())))


def choose_indices(num_all: int, num: int) -> NDArray[np.int64]:
    """``num`` indices, or all where there are fewer, spread evenly over ``num_all``: the same for every model."""
    return np.linspace(0, num_all - 1, min(num, num_all)).round().astype(np.int64)


def measure_robustness(classifier: Classifier, images: Sequence[Image], truth: NDArray[np.int64]) -> Robustness:
    """The Robustness of ``classifier`` on (h, w, 3) uint8 BGR ``images`` whose classes are ``truth``."""
    right = {corruption.name: np.zeros(NUM_STRENGTHS, np.int64) for corruption in CORRUPTIONS}
    clean = 0
    for index, image in enumerate(with_progress(images, f"{classifier.contract.spec.name} on corrupted images")):
        clean += _is_right(classifier, image, truth[index])
        for corruption in CORRUPTIONS:
            right[corruption.name] += _levels_right(classifier, corruption, image, index, truth[index])
    num = len(images)
    accuracies = {name: tuple((count / num).tolist()) for name, count in right.items()}
    return Robustness(num, classifier.interpreter.backend, clean / num, accuracies)


def _levels_right(
    classifier: Classifier, corruption: Corruption, image: Image, index: int, truth: int
) -> NDArray[np.int64]:
    worse = [corruption.apply(image, level, index) for level in range(NUM_STRENGTHS)]
    return np.array([_is_right(classifier, image, truth) for image in worse], np.int64)


def _is_right(classifier: Classifier, image: Image, truth: int) -> bool:
    return bool(classifier.probabilities(image).argmax() == truth)
