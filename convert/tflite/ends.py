"""Reads a flatbuffer's input and output tensor from the tree, as a contract describes them, without an interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.tflite import schema
from edge_runtime.contract import TensorSpec
from edge_runtime.errors import ModelError


def read_ends(tree: Any) -> tuple[TensorSpec, TensorSpec]:
    """The input and the output tensor of a ``ModelT`` tree; a tensor without a scale has scale and zero point 0.

    Raises:
        ModelError: the model does not have one input and one output.
    """
    subgraph = tree.subgraphs[0]
    if len(subgraph.inputs) != 1 or len(subgraph.outputs) != 1:
        raise ModelError(
            f"The model has {len(subgraph.inputs)} inputs and {len(subgraph.outputs)} outputs, expected 1 of each."
        )
    first, last = (subgraph.tensors[int(ends[0])] for ends in (subgraph.inputs, subgraph.outputs))
    return _read_spec(first), _read_spec(last)


def set_input_scale(flatbuffer: bytes, dtype: str, mean: float, std: float) -> bytes:
    """``flatbuffer`` with its uint8 input changed to ``dtype`` ("uint8" or "int8") and to a scale that means
    ``(pixel - mean) / std``; the QUANTIZE operator that reads it converts to the scale of what follows.

    Raises:
        ModelError: something else reads the input, so its scale cannot be changed.
    """
    tree = schema.read_tree(flatbuffer)
    subgraph = tree.subgraphs[0]
    index = int(subgraph.inputs[0])
    readers = [operator for operator in subgraph.operators if index in operator.inputs]
    kinds = [schema.read_operator_name(tree.operatorCodes[operator.opcodeIndex]) for operator in readers]
    if kinds != ["QUANTIZE"]:
        raise ModelError(
            f"The input is read by {', '.join(kinds) or 'nothing'}, expected a single QUANTIZE. This is a bug in the "
            "conversion; please report it."
        )
    tensor, lowest = subgraph.tensors[index], 0 if dtype == "uint8" else -128
    schema.set_dtype(tensor, dtype)
    tensor.quantization.scale = np.array([1 / std], np.float32)
    tensor.quantization.zeroPoint = np.array([round(mean) + lowest], np.int64)
    return schema.write_tree(tree)


def _read_spec(tensor: Any) -> TensorSpec:
    quantization = tensor.quantization
    scaled = quantization is not None and quantization.scale is not None and len(quantization.scale) > 0
    scale = float(quantization.scale[0]) if scaled else 0.0
    zero_point = int(quantization.zeroPoint[0]) if scaled and quantization.zeroPoint is not None else 0
    return TensorSpec(tuple(int(size) for size in tensor.shape), schema.read_dtype(tensor), scale, zero_point)
