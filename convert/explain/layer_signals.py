"""Runs the float and the integer model side by side on real images and measures, layer by layer, what rounding does.

A layer's *own* noise is what its weights and its output's 256 levels add to a perfect input; the *accumulated* noise is
what the integer file really has there, including all earlier layers. Noise is judged channel by channel: a huge channel
would hide that the others have drowned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.output.progress import with_progress
from convert.tflite import schema
from convert.tflite.names import find_layer_name
from edge_runtime.errors import ModelError
from edge_runtime.inference.interpreter import Interpreter

WITH_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
# The format prescribes their output scale, so it is nobody's mistake.
FIXED_SCALE = ("SOFTMAX", "LOGISTIC", "TANH", "L2_NORMALIZATION", "LOG_SOFTMAX")
BEST_DB = 120.0
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Node:
    """One operator: its Keras layer, output tensor, weights tensor (-1: none), and the nodes it reads."""

    layer: str
    kind: str
    output: int
    weights: int
    reads: tuple[int, ...]


@dataclass(frozen=True)
class Signals:
    """One layer. SQNR in dB, means over its live channels; ``channels`` holds each channel's largest magnitude.

    ``clipped`` is the share of float values outside what the output can hold, ``used`` the share of its range that
    these images reach, ``dead`` counts channels that are constant in float, ``drowned`` those constant in int8 only.
    """

    layer: str
    kind: str
    reads: tuple[str, ...]
    own_db: float
    accumulated_db: float
    weights_db: float | None
    per_channel: bool | None
    scale: float
    channels: tuple[float, ...]
    clipped: float
    used: float
    dead: int
    drowned: int


@dataclass
class _Sums:
    """What is added up over images, each (channels,)."""

    signal: Vector
    accumulated: Vector
    rounding: Vector
    clipped: int = 0
    values: int = 0
    low: Vector = field(default_factory=lambda: np.zeros(0))
    high: Vector = field(default_factory=lambda: np.zeros(0))
    stored_low: Vector = field(default_factory=lambda: np.zeros(0))
    stored_high: Vector = field(default_factory=lambda: np.zeros(0))


def list_nodes(tree: Any) -> list[Node]:
    """The operators of a flatbuffer in order of execution, QUANTIZE and DEQUANTIZE left out."""
    subgraph = tree.subgraphs[0]
    made_by: dict[int, int] = {}
    found: list[Node] = []
    for operator in subgraph.operators:
        kind = schema.read_operator_name(tree.operatorCodes[operator.opcodeIndex])
        inputs, output = [int(index) for index in operator.inputs], int(operator.outputs[0])
        if kind in ("QUANTIZE", "DEQUANTIZE"):
            if inputs[0] in made_by:
                made_by[output] = made_by[inputs[0]]
            continue
        weights = inputs[1] if kind in WITH_WEIGHTS else -1
        named = subgraph.tensors[weights if weights >= 0 else output]
        reads = tuple(made_by[index] for index in inputs if index in made_by)
        made_by[output] = len(found)
        found.append(Node(find_layer_name(schema.read_text(named.name)), kind, output, weights, reads))
    return found


def measure_layers(
    float_model: bytes, integer_model: bytes, inputs: Sequence[tuple[NDArray[np.float32], NDArray[Any]]]
) -> tuple[tuple[Signals, ...], float]:
    """The Signals of every layer that both models have, in order, and the share of images with the same label.

    ``inputs`` are pairs of (H, W, 3) input tensors: float32 for the one, the stored dtype for the other.

    Raises:
        ModelError: the two models have no layer in common.
    """
    float_tree, integer_tree = schema.read_tree(float_model), schema.read_tree(integer_model)
    float_nodes, integer_nodes = list_nodes(float_tree), list_nodes(integer_tree)
    pairs = _pair(integer_nodes, integer_tree, float_nodes, float_tree)
    if not pairs:
        raise ModelError(
            f"The two models have no layer in common: {[node.layer for node in integer_nodes][:5]} and "
            f"{[node.layer for node in float_nodes][:5]}. They come from different runs; give the right --run."
        )
    one = Interpreter(float_model, kernels="reference", keep_tensors=True)
    two = Interpreter(integer_model, kernels="reference", keep_tensors=True)
    sums: dict[int, _Sums] = {}
    agreeing = 0
    for float_input, integer_input in with_progress(inputs, "Reading both models' layers"):
        agreeing += int(one.invoke(float_input).argmax() == two.invoke(integer_input).argmax())
        for integer_node, float_node in pairs:
            real = _by_channel(one.tensor(float_node.output).astype(np.float64))
            stored = _by_channel(two.tensor(integer_node.output).astype(np.float64))
            _add(sums, integer_node.output, real, stored, integer_tree.subgraphs[0].tensors[integer_node.output])
    signals = tuple(
        _signals(sums[two_node.output], two_node, one_node, integer_nodes, (float_tree, integer_tree))
        for two_node, one_node in pairs
    )
    return signals, agreeing / max(1, len(inputs))


def _pair(
    integer_nodes: Sequence[Node], integer_tree: Any, float_nodes: Sequence[Node], float_tree: Any
) -> list[tuple[Node, Node]]:
    """Each operator that computes scaled integers, with its counterpart in the float model: several of one kind in a
    layer are paired in order. Operators that only one model has, or that have another shape there (a transposition
    that was moved), are left out.
    """
    places: dict[tuple[str, str], list[Node]] = {}
    for node in float_nodes:
        places.setdefault((node.layer, node.kind), []).append(node)
    here, there = (tree.subgraphs[0].tensors for tree in (integer_tree, float_tree))
    pairs = []
    for node in integer_nodes:
        found = places.get((node.layer, node.kind))
        other = found.pop(0) if found else None
        if other is None or not _has_one_scale(here[node.output]) or not schema.is_float(there[other.output]):
            continue
        if np.array_equal(here[node.output].shape, there[other.output].shape):
            pairs.append((node, other))
    return pairs


def _has_one_scale(tensor: Any) -> bool:
    """Whether the tensor has one scale; results of comparing, counting or taking a shape have none."""
    quantization = tensor.quantization
    return quantization is not None and quantization.scale is not None and len(quantization.scale) == 1


def _by_channel(values: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(-1, values.shape[-1])


def _add(sums: dict[int, _Sums], key: int, real: Vector, stored: Vector, tensor: Any) -> None:
    scale, zero_point = _scale(tensor)
    limits = np.iinfo(schema.read_dtype(tensor))
    low, high = (limits.min - zero_point) * scale, (limits.max - zero_point) * scale
    rounded = np.clip(np.rint(real / scale) * scale, low, high)
    there = (stored - zero_point) * scale
    found = sums.get(key)
    if found is None:
        zeros = np.zeros(real.shape[1])
        found = sums[key] = _Sums(zeros.copy(), zeros.copy(), zeros.copy())
        found.low, found.high = real.min(axis=0), real.max(axis=0)
        found.stored_low, found.stored_high = stored.min(axis=0), stored.max(axis=0)
    found.signal += (real**2).sum(axis=0)
    found.accumulated += ((there - real) ** 2).sum(axis=0)
    found.rounding += ((rounded - real) ** 2).sum(axis=0)
    found.clipped += int(((real < low - scale / 2) | (real > high + scale / 2)).sum())
    found.values += real.size
    found.low, found.high = np.minimum(found.low, real.min(axis=0)), np.maximum(found.high, real.max(axis=0))
    found.stored_low = np.minimum(found.stored_low, stored.min(axis=0))
    found.stored_high = np.maximum(found.stored_high, stored.max(axis=0))


def _signals(found: _Sums, node: Node, float_node: Node, all_nodes: Sequence[Node], trees: tuple[Any, Any]) -> Signals:
    float_tensors, tensors = (tree.subgraphs[0].tensors for tree in trees)
    constant = found.high - found.low <= 1e-6 * np.maximum(np.abs(found.high), 1e-6)
    alive = ~constant & (found.signal > 0)
    share = found.rounding / np.maximum(found.signal, 1e-30)
    weights_db = per_channel = None
    if node.weights >= 0:
        real = _dequantized(trees[0], float_tensors[float_node.weights])
        stored = _dequantized(trees[1], tensors[node.weights])
        if real.shape == stored.shape:
            axis = -1 if node.kind == "DEPTHWISE_CONV_2D" else 0
            others = tuple(index for index in range(real.ndim) if index != axis % real.ndim)
            noise = ((stored - real) ** 2).sum(axis=others) / np.maximum((real**2).sum(axis=others), 1e-30)
            weights_db = _mean_db(noise)
            share = share + (noise if noise.shape == share.shape else 0.0)
        per_channel = len(tensors[node.weights].quantization.scale) > 1
    scale, _ = _scale(tensors[node.output])
    limits = np.iinfo(schema.read_dtype(tensors[node.output]))
    reach = max(float(found.high.max()), 0.0) - min(float(found.low.min()), 0.0)
    return Signals(
        layer=node.layer,
        kind=node.kind,
        reads=tuple(all_nodes[index].layer for index in node.reads),
        own_db=_mean_db(share[alive]),
        accumulated_db=_mean_db((found.accumulated / np.maximum(found.signal, 1e-30))[alive]),
        weights_db=weights_db,
        per_channel=per_channel,
        scale=scale,
        channels=tuple(np.maximum(np.abs(found.high), np.abs(found.low)).tolist()),
        clipped=found.clipped / max(1, found.values),
        used=min(1.0, reach / ((limits.max - limits.min) * scale)),
        dead=int(constant.sum()),
        drowned=int((alive & (found.stored_low == found.stored_high)).sum()),
    )


def _mean_db(noise: Vector) -> float:
    """The mean of channels' SQNR in dB; ``noise`` is noise power / signal power."""
    if len(noise) == 0:
        return BEST_DB
    return float(np.clip(-10 * np.log10(np.maximum(noise, 1e-12)), None, BEST_DB).mean())


def _scale(tensor: Any) -> tuple[float, int]:
    return float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])


def _dequantized(tree: Any, tensor: Any) -> NDArray[np.float64]:
    content = np.frombuffer(schema.read_buffer(tree, tensor.buffer), schema.read_dtype(tensor))
    values: NDArray[np.float64] = content.reshape([int(size) for size in tensor.shape]).astype(np.float64)
    if schema.is_float(tensor):
        return values
    scales = np.asarray(tensor.quantization.scale, np.float64)
    shape = [1] * values.ndim
    if len(scales) > 1:
        shape[tensor.quantization.quantizedDimension] = len(scales)
    return np.multiply(values, scales.reshape(shape))
