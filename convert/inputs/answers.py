"""What the outputs of a loaded Keras model mean, logits or probabilities, and its probabilities on images.

The meaning is read from the graph and measured on images, never guessed from the name of the last layer. A model with
one output decides between two classes: the second has the probability p, the first 1 - p.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.inputs.bounds import UNIT, UNKNOWN, find_last, find_origin, name_kind, read_bounds
from convert.inputs.no_scores import SLACK, expect_scores
from edge_runtime.errors import ModelError

_BATCH = 8


def run_model(model: Any, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, outputs) float32 of the Keras ``model`` for (n, H, W, 3) float32 ``inputs``, in inference mode."""
    import keras

    step = model.input_shape[0] or _BATCH
    rows = [
        keras.ops.convert_to_numpy(keras.ops.cast(model(inputs[start : start + step], training=False), "float32"))
        for start in range(0, len(inputs), step)
    ]
    values: NDArray[np.float32] = np.concatenate(rows).astype(np.float32)
    return values


def find_meaning(model: Any, inputs: NDArray[np.float32], name: object) -> str:
    """Whether the outputs of ``model`` are "logits" or "probabilities", measured on (n, H, W, 3) float32 ``inputs``.

    Independent probabilities (one sigmoid each) count as probabilities.

    Raises:
        ModelError: the graph ends in a softmax over something other than the classes, or in what is neither logits nor
            probabilities (`expect_scores`); ``name`` is in the text.
    """
    values, bounds = run_model(model, inputs), read_bounds(model)
    in_range = bool((values >= -SLACK).all() and (values <= 1 + SLACK).all())
    sums = values.sum(axis=1)
    is_distribution = in_range and bool((np.abs(sums - 1) <= SLACK).all())
    if name_kind(find_origin(find_last(model))[0]) == "softmax" and not is_distribution:
        raise ModelError(
            f"{name} ends in a softmax whose {values.shape[1]} outputs sum to {float(sums[0]):.3f} for an image, "
            "expected 1: it is not taken over the classes. Take it over the last axis."
        )
    expect_scores(model, values, bounds, name)
    if is_distribution or (in_range and (bounds is UNKNOWN or bounds.within(UNIT))):
        return "probabilities"
    return "logits"


def to_probabilities(values: NDArray[np.float32], meaning: str) -> NDArray[np.float32]:
    """(n, outputs) float32 logits or probabilities -> (n, classes) float32 probabilities; one output becomes two."""
    result = values.astype(np.float64)
    if result.shape[1] == 1:
        chance = 1 / (1 + np.exp(-result)) if meaning == "logits" else result
        result = np.concatenate([1 - chance, chance], axis=1)
    elif meaning == "logits":
        powers = np.exp(result - result.max(axis=1, keepdims=True))
        result = powers / powers.sum(axis=1, keepdims=True)
    shares: NDArray[np.float32] = result.astype(np.float32)
    return shares
