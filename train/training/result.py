"""The result of a training run: the model, its history, its best epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras


@dataclass(frozen=True)
class TrainResult:
    """The stock model with its best weights, and one history row per epoch (loss, accuracies in [0, 1], seconds).

    ``train_accuracy`` counts agreement with the targets: the larger part of a mixed image, or a teacher's answer.

    ``extra`` goes into metrics.json unchanged.
    """

    model: keras.Model
    history: tuple[dict[str, float], ...]
    best_epoch: int
    seconds: float
    extra: dict[str, Any] = field(default_factory=dict)
