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
from convert.tflite.names import find_layer_name

# What tflite-runtime 2.14 loads, found by asking it: for each operator the highest version that its resolver has.
# Operators that an image classifier can be made of; whatever is not listed is refused.
MAX_VERSIONS = {
    "ABS": 5, "ADD": 5, "ARG_MAX": 3, "AVERAGE_POOL_2D": 3, "BATCH_TO_SPACE_ND": 4, "CONCATENATION": 4,
    "CONV_2D": 7, "DEPTHWISE_CONV_2D": 7, "DEPTH_TO_SPACE": 2, "DIV": 2, "EXPAND_DIMS": 1,
    "FULLY_CONNECTED": 10, "GATHER": 6, "GELU": 2, "HARD_SWISH": 1, "L2_NORMALIZATION": 2, "LEAKY_RELU": 2,
    "LOGISTIC": 3, "LOG_SOFTMAX": 2, "MAXIMUM": 4, "MAX_POOL_2D": 3, "MEAN": 3, "MINIMUM": 4, "MIRROR_PAD": 3,
    "MUL": 7, "PACK": 4, "PAD": 4, "PADV2": 4, "PRELU": 1, "QUANTIZE": 3, "REDUCE_MAX": 3, "REDUCE_MIN": 3,
    "RELU": 3, "RELU6": 3, "RELU_0_TO_1": 1, "RELU_N1_TO_1": 1, "RESHAPE": 1, "RESIZE_BILINEAR": 4,
    "RESIZE_NEAREST_NEIGHBOR": 4, "REVERSE_V2": 3, "RSQRT": 2, "SHAPE": 1, "SLICE": 6, "SOFTMAX": 3,
    "SPACE_TO_BATCH_ND": 4, "SPACE_TO_DEPTH": 2, "SPLIT": 4, "SPLIT_V": 2, "SQUARED_DIFFERENCE": 2,
    "SQUEEZE": 2, "STRIDED_SLICE": 8, "SUB": 5, "SUM": 2, "TANH": 3, "TILE": 3, "TRANSPOSE": 6,
    "TRANSPOSE_CONV": 4, "UNPACK": 4,
}  # fmt: skip
_MULTIPLYING = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
_QUANTIZED_DTYPES = ("int8", "uint8", "int16", "int4")
_INDEX_DTYPES = ("int32", "int64", "bool", "uint32")


@dataclass(frozen=True)
class OperatorReport:
    """One operator in order of execution; ``output`` is its first output's shape, ``macs`` multiplications with
    weights.
    """

    kind: str
    version: int
    layer: str
    output: tuple[int, ...]
    macs: int


@dataclass(frozen=True)
class AuditReport:
    """``parameters`` counts stored weights and biases, ``weight_bytes`` their bytes; no ``problems`` means full
    integer.
    """

    num_bytes: int
    parameters: int
    weight_bytes: int
    macs: int
    operators: tuple[OperatorReport, ...]
    tensor_dtypes: dict[str, int]
    problems: tuple[str, ...]
    degenerate: tuple[str, ...]

    @property
    def full_integer(self) -> bool:
        """Whether every tensor is integer and every operator one that tflite-runtime 2.14 has."""
        return not self.problems


def audit(flatbuffer: bytes) -> AuditReport:
    """The AuditReport of a .tflite flatbuffer.

    ``problems`` names each tensor that is not integer and each operator that tflite-runtime 2.14 lacks; ``degenerate``
    each
    quantisation that cannot carry a signal.

    Raises:
        ModelError: it is no readable .tflite flatbuffer.
    """
    return audit_tree(schema.read_tree(flatbuffer), len(flatbuffer))


def audit_tree(tree: Any, num_bytes: int) -> AuditReport:
    """As `audit`, of a flatbuffer of ``num_bytes`` that was read already."""
    problems: list[str] = []
    degenerate: list[str] = []
    operators: list[OperatorReport] = []
    dtypes: dict[str, int] = {}
    for subgraph in tree.subgraphs:
        for index, tensor in enumerate(subgraph.tensors):
            dtype = schema.read_dtype(tensor)
            dtypes[dtype] = dtypes.get(dtype, 0) + 1
            _audit_tensor(tree, index, tensor, problems)
            _audit_scales(index, tensor, degenerate)
        for operator in subgraph.operators or ():
            operators.append(_audit_operator(tree, subgraph, operator, problems))
    parameters, weight_bytes = _count_parameters(tree)
    return AuditReport(
        num_bytes=num_bytes,
        parameters=parameters,
        weight_bytes=weight_bytes,
        macs=sum(operator.macs for operator in operators),
        operators=tuple(operators),
        tensor_dtypes=dict(sorted(dtypes.items())),
        problems=tuple(problems),
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
    # Below the smallest normal float32 a scale's reciprocal overflows, and the tensor has one value only.
    bad = [float(scale) for scale in scales if not math.isfinite(scale) or scale < np.finfo(np.float32).tiny]
    if bad:
        degenerate.append(
            f"tensor {index} ({schema.read_text(tensor.name)}) has {len(bad)} degenerate scales, first {bad[0]}"
        )


def _audit_operator(tree: Any, subgraph: Any, operator: Any, problems: list[str]) -> OperatorReport:
    code = tree.operatorCodes[operator.opcodeIndex]
    kind, tensors = schema.read_operator_name(code), subgraph.tensors
    output = tensors[operator.outputs[0]]
    layer = find_layer_name(schema.read_text(output.name))
    if kind == "DEQUANTIZE":
        problems.append(f"operator DEQUANTIZE makes {layer} a floating-point tensor, expected integers throughout")
    elif kind not in MAX_VERSIONS:
        problems.append(f"operator {kind} at {layer} is not among the integer operators that tflite-runtime 2.14 has")
    elif code.version > MAX_VERSIONS[kind]:
        problems.append(
            f"operator {kind} at {layer} has version {code.version}, tflite-runtime 2.14 knows up to "
            f"{MAX_VERSIONS[kind]}"
        )
    macs = 0
    if kind in _MULTIPLYING:
        weights = tensors[operator.inputs[1]]
        # A convolution applies its weights once a position of its output (a transposed one: of its input); a depthwise
        # kernel has one filter a channel, so the same product holds; a dense layer once a row.
        where = tensors[operator.inputs[2]] if kind == "TRANSPOSE_CONV" else output
        positions = where.shape[:-1]
        macs = math.prod(int(size) for size in weights.shape) * math.prod(int(size) for size in positions)
    return OperatorReport(kind, int(code.version), layer, tuple(int(size) for size in output.shape), macs)


def _count_parameters(tree: Any) -> tuple[int, int]:
    """Stored weights and biases of all multiplying operators, each tensor once, and other constants that are
    quantised.
    """
    parameters = num_bytes = 0
    for subgraph in tree.subgraphs:
        for tensor in subgraph.tensors:
            content = schema.read_buffer(tree, tensor.buffer)
            quantized = tensor.quantization is not None and tensor.quantization.scale is not None
            if content and (quantized or schema.is_float(tensor)):
                parameters += math.prod(int(size) for size in (() if tensor.shape is None else tensor.shape))
                num_bytes += len(content)
    return parameters, num_bytes
