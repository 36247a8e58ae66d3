"""Between which numbers the outputs of a Keras model can lie, by what its graph computes last; nothing is run.

Whatever cannot be followed is `UNKNOWN`, and only a measurement can tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

INFINITE = math.inf


@dataclass(frozen=True)
class Bounds:
    """No output is below ``low`` or above ``high``."""

    low: float = -INFINITE
    high: float = INFINITE

    def within(self, other: Bounds) -> bool:
        """Whether both ends lie in ``other``."""
        return other.low <= self.low and self.high <= other.high


UNKNOWN = None
ANY, UNIT, SIGNED, POSITIVE, NEGATIVE = (
    Bounds(), Bounds(0, 1), Bounds(-1, 1), Bounds(0, INFINITE), Bounds(-INFINITE, 0),
)  # fmt: skip
# Layers, operations and activations by their names in lower case without underscores.
_FIXED: Mapping[str, Bounds] = {
    "softmax": UNIT, "sigmoid": UNIT, "hardsigmoid": UNIT, "onehot": UNIT, "tanh": SIGNED, "hardtanh": SIGNED,
    "softsign": SIGNED, "unitnormalization": SIGNED, "relu": POSITIVE, "relu6": Bounds(0, 6), "softplus": POSITIVE,
    "exp": POSITIVE, "exponential": POSITIVE, "square": POSITIVE, "abs": POSITIVE, "absolute": POSITIVE,
    "sqrt": POSITIVE, "norm": POSITIVE, "logsoftmax": NEGATIVE, "logsigmoid": NEGATIVE, "linear": ANY, "elu": ANY,
    "gelu": ANY, "leakyrelu": ANY, "prelu": ANY, "selu": ANY, "silu": ANY,
}  # fmt: skip
# What passes every value on, and what gives no values but those that it gets, or something between them.
PASSING = {
    "activityregularization", "alphadropout", "cast", "dropout", "expanddims", "flatten", "gaussiandropout",
    "gaussiannoise", "identity", "reshape", "spatialdropout1d", "spatialdropout2d", "squeeze", "stopgradient",
}  # fmt: skip
_BETWEEN = {
    "average", "averagepooling2d", "concatenate", "cropping2d", "getitem", "globalaveragepooling2d",
    "globalmaxpooling2d", "max", "maximum", "maxpooling2d", "mean", "min", "minimum", "permute", "round", "stack",
    "take", "transpose",
}  # fmt: skip


def read_bounds(model: Any) -> Bounds | None:
    """The Bounds of the first output of the Keras ``model``, or `UNKNOWN`."""
    return follow(model.outputs[0])


def find_last(model: Any) -> Any:
    """The symbolic tensor that the graph computes last, apart from what passes every value on."""
    tensor = model.outputs[0]
    operation, inputs = find_origin(tensor)
    while inputs and passes(operation):
        tensor = inputs[0]
        operation, inputs = find_origin(tensor)
    return find_last(operation) if is_model(operation) else tensor


def find_origin(tensor: Any) -> tuple[Any, list[Any]]:
    """The layer or operation that a symbolic ``tensor`` comes from, and what it is given."""
    history = tensor._keras_history
    node = history.operation._inbound_nodes[history.node_index]
    return history.operation, list(node.input_tensors)


def name_kind(operation: Any) -> str:
    """The kind of a layer or operation, or of the activation that a layer ends in, in lower case."""
    activation = read_activation(operation)
    return _plain(activation if activation is not None else type(operation).__name__)


def read_activation(operation: Any) -> str | None:
    """The name of a layer's activation function; None where it has none."""
    return getattr(getattr(operation, "activation", None), "__name__", None)


def passes(operation: Any) -> bool:
    """Whether it gives back the values it gets."""
    kind = type(operation).__name__.lower()
    return kind in PASSING or (kind == "activation" and read_activation(operation) == "linear")


def is_model(operation: Any) -> bool:
    """Whether a layer is a model of its own."""
    return hasattr(operation, "layers") and hasattr(operation, "outputs")


def follow(tensor: Any) -> Bounds | None:
    """The Bounds of a symbolic ``tensor``, or `UNKNOWN`."""
    operation, inputs = find_origin(tensor)
    if is_model(operation):
        return read_bounds(operation)
    if passes(operation) and inputs:
        return follow(inputs[0])
    kind = name_kind(operation)
    low, high = (_number(getattr(operation, name, None)) for name in ("x_min", "x_max"))
    if kind == "clip" and low is not None and high is not None:
        return Bounds(low, high)
    if kind == "relu" and isinstance(getattr(operation, "max_value", None), int | float):
        return Bounds(0, float(operation.max_value))
    if kind in _FIXED and not getattr(operation, "negative_slope", 0):
        return _FIXED[kind]
    if kind in _BETWEEN and inputs:
        return _span([follow(item) for item in inputs])
    if kind in ("add", "subtract") and len(inputs) > 1:
        return _add([follow(item) for item in inputs], first_only=kind == "subtract")
    scaled = read_line(tensor)
    if scaled is not None and inputs:
        return _move(follow(inputs[0]), *scaled)
    # Whatever has weights of its own, such as a dense layer without activation or a batch norm, can give any number.
    return ANY if getattr(operation, "weights", None) and read_activation(operation) is None else UNKNOWN


def _span(parts: Sequence[Bounds | None]) -> Bounds | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return UNKNOWN
    return Bounds(min(part.low for part in known), max(part.high for part in known))


def _add(parts: Sequence[Bounds | None], *, first_only: bool) -> Bounds | None:
    """The sum of ``parts``; ``first_only``: of the first, less the others."""
    turned = [_move(part, -1.0, 0.0) if first_only and number else part for number, part in enumerate(parts)]
    known = [part for part in turned if part is not None]
    if len(known) < len(parts):
        return UNKNOWN
    return Bounds(sum(part.low for part in known), sum(part.high for part in known))


def _move(bounds: Bounds | None, scale: float, offset: float) -> Bounds | None:
    if bounds is None or scale == 0:
        return UNKNOWN
    ends = sorted((bounds.low * scale + offset, bounds.high * scale + offset))
    return Bounds(*ends)


def read_line(tensor: Any) -> tuple[float, float] | None:
    """By what number the operation behind a symbolic ``tensor`` multiplies, and what it adds; None where it does
    something else.
    """
    history = tensor._keras_history
    operation = history.operation
    kind = name_kind(operation)
    if kind == "rescaling":
        scale, offset = _number(operation.scale), _number(operation.offset)
        return None if scale is None or offset is None else (scale, offset)
    if kind == "negative":
        return -1.0, 0.0
    arguments = operation._inbound_nodes[history.node_index].arguments.args
    numbers = [_number(value) for value in arguments]
    if len(numbers) != 2 or (numbers[0] is None) == (numbers[1] is None):
        return None
    first = numbers[0] is not None
    number = float(numbers[0] if first else numbers[1])  # type: ignore[arg-type]
    lines = {"multiply": (number, 0.0), "add": (1.0, number), "subtract": (-1.0, number) if first else (1.0, -number)}
    if kind in ("truedivide", "divide") and not first and number:
        return 1 / number, 0.0
    return lines.get(kind)


def _number(value: Any) -> float | None:
    """The number that all elements of a constant are; None for others and for a tensor of the graph."""
    if value is None or hasattr(value, "_keras_history"):
        return None
    try:
        elements = set(np.asarray(value, np.float64).ravel().tolist())
    except (TypeError, ValueError):
        return None
    return elements.pop() if len(elements) == 1 else None


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
