"""Turns an output tensor into an answer: stored values -> probabilities -> Prediction, "unknown" below the threshold.

Pure NumPy; knows nothing of interpreters or cameras.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import Contract
from edge_runtime.errors import ModelError
from edge_runtime.inference.quantization import dequantize

UNKNOWN = "unknown"
# Why an answer is unknown.
UNLIKE, NOT_SURE = "unlike anything seen in training", "not sure"
# Up to this many classes, sorting them all is faster than picking the largest repeatedly with NumPy.
_FEW_CLASSES = 64


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class and its probability in [0, 1]."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one frame.

    ``index``, ``score`` and ``top`` (best first) are always those of the best classes; ``label`` is the best class's,
    or "unknown" (and ``unknown`` is True) if its probability is below the threshold or the frame is unlike anything
    that the model was trained on; ``reason`` says which, in words, and is empty if neither. ``similarity`` is the
    cosine to the nearest training images, in [-1, 1], None for a model that carries none.
    """

    index: int
    label: str
    score: float
    top: tuple[ClassScore, ...]
    unknown: bool
    reason: str = ""
    similarity: float | None = None


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) float32 probabilities of (n,) logits."""
    powers = np.exp(logits - logits.max())
    shares: NDArray[np.float32] = powers / powers.sum()
    return shares


def add_first_score(second: NDArray[np.float32], *, logits: bool) -> NDArray[np.float32]:
    """(..., 2) scores of two classes from the (..., 1) scores of the second: probabilities sum to 1; with logits the
    first is 0, so that the softmax is the sigmoid of the second.
    """
    first = np.zeros_like(second) if logits else 1 - second
    return np.concatenate([first, second], axis=-1)


def find_best(stored: NDArray[Any], contract: Contract) -> NDArray[np.intp]:
    """(n,) indices of the best class of each row of (n, k) outputs in their stored dtype."""
    if contract.is_binary:
        real = dequantize(stored, contract.output_tensor)
        stored = add_first_score(real, logits=contract.spec.output == "logits")
    best: NDArray[np.intp] = stored.argmax(axis=1)
    return best


def probabilities(stored: NDArray[Any], contract: Contract) -> NDArray[np.float32]:
    """(n,) float32 probabilities of a (1, n) or (n,) output in its stored dtype; applies softmax only to logits."""
    real = dequantize(stored, contract.output_tensor).reshape(-1)
    if contract.is_binary:
        real = add_first_score(real, logits=contract.spec.output == "logits")
    return softmax(real) if contract.spec.output == "logits" else real


def predict(
    probabilities: NDArray[np.float32],
    labels: Sequence[str],
    threshold: float | Sequence[float],
    top_k: int = 3,
    *,
    similarity: float | None = None,
    cut: float = -1.0,
) -> Prediction:
    """The Prediction for (n,) probabilities; among equals the lower index comes first. The best score must reach
    ``threshold`` in [0, 1], one for all classes or one per class; ``similarity`` must reach ``cut`` in [-1, 1].

    Raises:
        ModelError: a probability is not a number.
    """
    order, best_score = _best(probabilities, max(top_k, 1))
    if math.isnan(best_score):
        raise ModelError(
            "The model's output is not a number for this frame; the model is broken, train or convert it again."
        )
    top = tuple([ClassScore(labels[index], float(probabilities[index])) for index in order])
    best = top[0]
    lowest = threshold if isinstance(threshold, (int, float)) else threshold[order[0]]
    reason = NOT_SURE if best.score < lowest else ""
    if similarity is not None and similarity < cut:
        reason = UNLIKE
    unknown = bool(reason)
    label = UNKNOWN if unknown else best.label
    return Prediction(order[0], label, best.score, top[:top_k], unknown, reason, similarity)


def _best(probabilities: NDArray[np.float32], count: int) -> tuple[list[int], float]:
    """The indices of the ``count`` largest, best first, and the largest value; NaN if any of them is NaN."""
    if len(probabilities) <= _FEW_CLASSES:
        values: list[float] = probabilities.tolist()
        order = sorted(range(len(values)), key=values.__getitem__, reverse=True)[:count]
        return order, math.nan if math.isnan(sum(values)) else values[order[0]]
    rest, order = probabilities.copy(), []
    for _ in range(min(count, len(rest))):
        index = int(rest.argmax())  # NaN counts as the largest
        order.append(index)
        rest[index] = -np.inf
    return order, float(probabilities[order[0]])
