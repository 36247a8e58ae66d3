"""Finds the operations at the start of a model that only scale its pixels: the input tensor can replace all of them.

They are found wherever they stand: behind augmentation, at the start of a nested network, as a layer or as arithmetic
such as `preprocess_input`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.inputs.source import normalize

# Layers that pass images on unchanged outside training, by name; those called Random... do so, too.
_PASSING = {"activityregularization", "dropout", "gaussiandropout", "gaussiannoise", "identity", "spatialdropout2d"}
_RESIZING = {"randomcrop"}


@dataclass(frozen=True)
class Affine:
    """The network's input is ``(pixel - mean) / std`` of pixels 0..255."""

    mean: float
    std: float

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return normalize(pixels, self.mean, self.std)

    def then(self, scale: float, offset: float) -> Affine:
        """This, times ``scale``, plus ``offset``."""
        # scale * (p - m) / s + offset = (p - (m - offset * s / scale)) / (s / scale)
        std = self.std / scale
        return Affine(self.mean - offset * std, std)

    @property
    def is_tensor(self) -> bool:
        """Whether an input tensor can express it: its range always includes 0, so the mean must be a pixel value."""
        return self.std > 0 and 0 <= self.mean <= 255


@dataclass(frozen=True)
class Leading:
    """``operations`` of a model that only scale its pixels, and the input of the network behind them."""

    operations: tuple[Any, ...]
    affine: Affine


def find_leading(model: Any, outside: Affine) -> Leading:
    """As many operations as one input tensor can replace, from the input of the Keras ``model`` on; ``outside`` is
    applied to the pixels before them.
    """
    best, affine = Leading((), outside), outside
    scaling: list[Any] = []
    for node in _list_first(model):
        found = _read_scaling(node)
        if found is None:
            continue
        if found[0] <= 0:
            break
        affine = affine.then(*found)
        scaling.append(node.operation)
        if affine.is_tensor:
            best = Leading(tuple(scaling), affine)
    return best


def _list_first(model: Any) -> Sequence[Any]:
    """The calls that the image passes through one by one before it meets anything other than a scaling."""
    found: list[Any] = []
    outer: list[tuple[Any, Any]] = []
    graph = _graph(model)
    tensor = graph.inputs[0]
    while True:
        if outer and tensor is graph.outputs[0]:  # the end of a nested network
            graph, tensor = outer.pop()
            continue
        calls = [node for nodes in graph._nodes_by_depth.values() for node in nodes]
        nodes = [node for node in calls if any(tensor is other for other in node.input_tensors)]
        if len(nodes) != 1 or len(nodes[0].outputs) != 1 or any(tensor is other for other in graph.outputs):
            return found
        node = nodes[0]
        if sum(node.operation is other.operation for other in calls) != 1:
            return found
        if hasattr(node.operation, "layers") and len(getattr(node.operation, "inputs", ())) == 1:
            outer.append((graph, node.outputs[0]))
            graph = _graph(node.operation)
            tensor = graph.inputs[0]
            continue
        if not (_passes(node.operation) or _read_scaling(node) is not None):
            return found
        found.append(node)
        tensor = node.outputs[0]


def _graph(model: Any) -> Any:
    """``model`` itself if it is functional, or the functional model that a Sequential one last built of itself."""
    return getattr(model, "_functional", None) or model


def _passes(operation: Any) -> bool:
    kind = type(operation).__name__.lower()
    return kind in _PASSING or (kind.startswith("random") and kind not in _RESIZING and hasattr(operation, "weights"))


def _read_scaling(node: Any) -> tuple[float, float] | None:
    """The factor and offset that a call applies to all channels of its image; None for any other call."""
    operation = node.operation
    kind = type(operation).__name__
    if kind == "Rescaling":
        scale, offset = _one_number(operation.scale), _one_number(operation.offset)
        return None if scale is None or offset is None else (scale, offset)
    values = [_one_number(value) for value in node.arguments.args]
    if len(values) != 2 or node.arguments.kwargs or values[0] is not None or values[1] is None:
        return None
    number = values[1]
    if kind in ("Divide", "TrueDivide") and number:
        return 1 / number, 0.0
    return {"Multiply": (number, 0.0), "Add": (1.0, number), "Subtract": (1.0, -number)}.get(kind)


def _one_number(value: Any) -> float | None:
    """The number that all elements of a constant share; None if they differ, and for a tensor of the graph."""
    if hasattr(value, "_keras_history"):
        return None
    elements = set(np.asarray(value, np.float64).ravel().tolist())
    return elements.pop() if len(elements) == 1 else None
