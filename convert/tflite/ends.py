"""A flatbuffer's input and output tensor as the contract writes them, read from the tree: no interpreter is built for
it.
"""

from __future__ import annotations

from typing import Any

from convert.tflite import schema
from edge_runtime.contract import TensorSpec
from edge_runtime.errors import ModelError


def read_ends(tree: Any) -> tuple[TensorSpec, TensorSpec]:
    """The input and the output tensor of a ``ModelT`` tree; a tensor without a scale has scale and zero point 0.

    Raises:
        ModelError: the model has not one input and one output.
    """
    subgraph = tree.subgraphs[0]
    if len(subgraph.inputs) != 1 or len(subgraph.outputs) != 1:
        raise ModelError(
            f"The model has {len(subgraph.inputs)} inputs and {len(subgraph.outputs)} outputs, expected 1 of each."
        )
    first, last = (subgraph.tensors[int(ends[0])] for ends in (subgraph.inputs, subgraph.outputs))
    return _read_spec(first), _read_spec(last)


def _read_spec(tensor: Any) -> TensorSpec:
    quantization = tensor.quantization
    scaled = quantization is not None and quantization.scale is not None and len(quantization.scale) > 0
    scale = float(quantization.scale[0]) if scaled else 0.0
    zero_point = int(quantization.zeroPoint[0]) if scaled and quantization.zeroPoint is not None else 0
    return TensorSpec(tuple(int(size) for size in tensor.shape), schema.read_dtype(tensor), scale, zero_point)
