"""Chooses the test images worth a look: the integer model's most confident mistakes and its least confident answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convert.inputs.source import ImageEntry

NUM_SHOWN = 12


@dataclass(frozen=True)
class Shown:
    """One image with its true class, the answer and the answer's probability in [0, 1]."""

    image: str
    truth: str
    label: str
    score: float


@dataclass(frozen=True)
class Gallery:
    """``mistakes`` begin with the most confident, ``least_sure`` with the least confident answer, right or wrong."""

    mistakes: tuple[Shown, ...]
    least_sure: tuple[Shown, ...]
    num_mistakes: int


def choose_gallery(probabilities: NDArray[np.float32], entries: Sequence[ImageEntry], labels: Sequence[str]) -> Gallery:
    """The Gallery of (n, classes) probabilities for the n labelled ``entries``."""
    scores, answers = np.nan_to_num(probabilities).max(axis=1), np.nan_to_num(probabilities).argmax(axis=1)
    rows = range(len(entries))

    def shown(row: int) -> Shown:
        return Shown(entries[row].name, labels[entries[row].label], labels[int(answers[row])], float(scores[row]))

    wrong = [row for row in rows if answers[row] != entries[row].label]
    surest = sorted(wrong, key=lambda row: (-scores[row], row))[:NUM_SHOWN]
    unsure = sorted(rows, key=lambda row: (scores[row], row))[:NUM_SHOWN]
    return Gallery(tuple(map(shown, surest)), tuple(map(shown, unsure)), len(wrong))
