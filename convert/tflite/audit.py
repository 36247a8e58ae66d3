"""Walks every operator and tensor of a .tflite flatbuffer: is it full integer, will old runtimes know it, how big is
it?

Full integer is proved here, never assumed from a converter's flag.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.tflite import schema
from convert.tflite.integer_operators import Placed, find_problems
from convert.tflite.names import find_layer_name

_MULTIPLYING = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
_QUANTIZED_DTYPES = ("int8", "uint8", "int16", "int4")
_INDEX_DTYPES = ("int32", "int64", "bool", "uint32")


@dataclass(frozen=True)
class OperatorReport:
    """One operator; ``output`` is the shape of its first output, ``macs`` its number of multiply-accumulates."""

    kind: str
    version: int
    layer: str
    output: tuple[int, ...]
    macs: int


@dataclass(frozen=True)
class AuditReport:
    """``parameters`` counts stored weights and biases, ``weight_bytes`` their bytes; no ``problems`` means full
    integer; ``layer_problems`` say what to use instead.
    """

    num_bytes: int
    parameters: int
    weight_bytes: int
    macs: int
    operators: tuple[OperatorReport, ...]
    tensor_dtypes: dict[str, int]
    layer_problems: tuple[str, ...]
    tensor_problems: tuple[str, ...]
    degenerate: tuple[str, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the model is not full integer; what can be fixed comes first."""
        return (*self.layer_problems, *self.tensor_problems)

    @property
    def full_integer(self) -> bool:
        """Whether every tensor is integer and every backend runs every operator."""
        return not self.problems


def audit(flatbuffer: bytes) -> AuditReport:
    """The AuditReport of a .tflite flatbuffer.

    ``problems`` names each layer with an operator that some backend does not run in integers, with what to use instead,
    and each tensor that is not integer; ``degenerate`` names each quantisation that cannot carry a signal.

    Raises:
        ModelError: it is not a readable .tflite flatbuffer.
    """
    return audit_tree(schema.read_tree(flatbuffer), len(flatbuffer))


def audit_tree(tree: Any, num_bytes: int) -> AuditReport:
    """Like `audit`, for a flatbuffer of ``num_bytes`` that has already been read."""
    problems: list[str] = []
    degenerate: list[str] = []
    operators: list[OperatorReport] = []
    placed: list[Placed] = []
    dtypes: dict[str, int] = {}
    for subgraph in tree.subgraphs:
        for index, tensor in enumerate(subgraph.tensors):
            dtype = schema.read_dtype(tensor)
            dtypes[dtype] = dtypes.get(dtype, 0) + 1
            _audit_tensor(tree, index, tensor, problems)
            _audit_scales(index, tensor, degenerate)
        for operator in subgraph.operators or ():
            report = _audit_operator(tree, subgraph, operator)
            operators.append(report)
            floating = schema.is_float(subgraph.tensors[operator.outputs[0]])
            placed.append(Placed(report.kind, report.version, report.layer, floating))
    parameters, weight_bytes = _count_parameters(tree)
    return AuditReport(
        num_bytes=num_bytes,
        parameters=parameters,
        weight_bytes=weight_bytes,
        macs=sum(operator.macs for operator in operators),
        operators=tuple(operators),
        tensor_dtypes=dict(sorted(dtypes.items())),
        layer_problems=tuple(find_problems(placed)),
        tensor_problems=tuple(problems),
        degenerate=tuple(degenerate),
    )


def _audit_tensor(tree: Any, index: int, tensor: Any, problems: list[str]) -> None:
    dtype, name = schema.read_dtype(tensor), schema.read_text(tensor.name)
    if dtype in _QUANTIZED_DTYPES:
        if tensor.quantization is None or tensor.quantization.scale is None or len(tensor.quantization.scale) == 0:
            problems.append(f"tensor {index} ({name}) is {dtype} without a scale, expected a quantised one")
    elif dtype not in _INDEX_DTYPES:
        problems.append(f"tensor {index} ({name}) is {dtype}, expected an integer type")


def _audit_scales(index: int, tensor: Any, degenerate: list[str]) -> None:
    scales = None if tensor.quantization is None else tensor.quantization.scale
    if scales is None:
        return
    # Below the smallest normal float32 a scale's reciprocal overflows, and the tensor can hold only one value.
    bad = [float(scale) for scale in scales if not math.isfinite(scale) or scale < np.finfo(np.float32).tiny]
    if bad:
        degenerate.append(
            f"tensor {index} ({schema.read_text(tensor.name)}) has {len(bad)} degenerate scales, first {bad[0]}"
        )


def _audit_operator(tree: Any, subgraph: Any, operator: Any) -> OperatorReport:
    code = tree.operatorCodes[operator.opcodeIndex]
    kind, tensors = schema.read_operator_name(code), subgraph.tensors
    output = tensors[operator.outputs[0]]
    layer = find_layer_name(schema.read_text(output.name))
    macs = 0
    if kind in _MULTIPLYING:
        weights = tensors[operator.inputs[1]]
        # A convolution applies its weights once per position of its output (a transposed one: of its input), a dense
        # layer once per row; a depthwise kernel has one filter per channel, so the same product holds.
        where = tensors[operator.inputs[2]] if kind == "TRANSPOSE_CONV" else output
        positions = where.shape[:-1]
        macs = math.prod(int(size) for size in weights.shape) * math.prod(int(size) for size in positions)
    return OperatorReport(kind, int(code.version), layer, tuple(int(size) for size in output.shape), macs)


def _count_parameters(tree: Any) -> tuple[int, int]:
    """How many weights and biases are stored, and in how many bytes: each tensor once, with all quantised constants."""
    parameters = num_bytes = 0
    for subgraph in tree.subgraphs:
        for tensor in subgraph.tensors:
            content = schema.read_buffer(tree, tensor.buffer)
            quantized = tensor.quantization is not None and tensor.quantization.scale is not None
            if content and (quantized or schema.is_float(tensor)):
                parameters += math.prod(int(size) for size in (() if tensor.shape is None else tensor.shape))
                num_bytes += len(content)
    return parameters, num_bytes
