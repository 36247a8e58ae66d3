"""What a loaded Keras model answers: whether its outputs are logits or probabilities, and its probabilities on images.

The meaning is read from the graph and measured on images, never guessed from the name of the last layer. A model with
one output decides between two classes: the second has the probability p, the first 1 - p.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError

# float16 arithmetic leaves a sum of probabilities a few thousandths away from one.
_SLACK = 5e-3
_BATCH = 8
# What passes every value on, by the names of layers and of operations.
_PASSING = {
    "activityregularization", "alphadropout", "cast", "dropout", "expanddims", "flatten", "gaussiandropout",
    "gaussiannoise", "identity", "reshape", "spatialdropout1d", "spatialdropout2d", "squeeze",
}  # fmt: skip
_SIGMOIDS = ("sigmoid", "hard_sigmoid", "hardsigmoid")


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
    """Says "logits" or "probabilities": what the outputs of ``model`` are, measured on (n, H, W, 3) float32 ``inputs``.

    Independent probabilities (a sigmoid each) are probabilities too.

    Raises:
        ModelError: the graph ends in a softmax over something else than the classes; ``name`` is in the text.
    """
    head, values = read_head(model), run_model(model, inputs)
    in_range = bool((values >= -_SLACK).all() and (values <= 1 + _SLACK).all())
    sums = values.sum(axis=1)
    is_distribution = in_range and bool((np.abs(sums - 1) <= _SLACK).all())
    if head == "softmax" and not is_distribution:
        raise ModelError(
            f"{name} ends in a softmax whose {values.shape[1]} outputs sum to {float(sums[0]):.3f} for an image, "
            "expected 1: it is not taken over the classes. Take it over the last axis."
        )
    if is_distribution or (in_range and head in ("sigmoid", "unknown")):
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


def read_head(model: Any) -> str:
    """What the graph computes last, apart from what passes every value on: "softmax", "sigmoid", "layer" (another
    activation of a layer, or none) or "unknown" (an operation whose outputs only a measurement can tell).
    """
    operation, inputs = _origin(model.outputs[0])
    while inputs and _passes(operation):
        operation, inputs = _origin(inputs[0])
    if hasattr(operation, "layers") and hasattr(operation, "outputs"):
        return read_head(operation)
    kind = type(operation).__name__.lower()
    activation = getattr(getattr(operation, "activation", None), "__name__", None)
    if "softmax" in (kind, activation):
        return "softmax"
    if kind in _SIGMOIDS or activation in _SIGMOIDS:
        return "sigmoid"
    return "layer" if activation is not None else "unknown"


def _passes(operation: Any) -> bool:
    kind = type(operation).__name__.lower()
    activation = getattr(getattr(operation, "activation", None), "__name__", None)
    return kind in _PASSING or (kind == "activation" and activation == "linear")


def _origin(tensor: Any) -> tuple[Any, list[Any]]:
    history = tensor._keras_history
    node = history.operation._inbound_nodes[history.node_index]
    return history.operation, list(node.input_tensors)
