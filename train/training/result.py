"""What a training gives: the model, its history, its best epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras


@dataclass(frozen=True)
class TrainResult:
    """The stock model with its best weights, and one history row per epoch (loss, accuracies in [0, 1], seconds).

    ``train_accuracy`` counts agreement with the targets: with a mixture's larger part, with what a teacher said.

    ``extra`` goes into metrics.json as it is.
    """

    model: keras.Model
    history: tuple[dict[str, float], ...]
    best_epoch: int
    seconds: float
    extra: dict[str, Any] = field(default_factory=dict)
