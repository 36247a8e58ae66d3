"""How much memory a model's activations need: the interpreter's plan, made from the file alone.

Neither interpreter tells its arena's size. This repeats its rule (largest tensor first, the lowest gap that is free for
the tensor's whole life); scratch memory that single kernels ask for is not in it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convert.tflite import schema

ALIGNMENT = 64
_BYTES = {"bool": 1, "bfloat16": 2, "int4": 0.5}


def peak_arena_bytes(flatbuffer: bytes) -> int:
    """Bytes from the start of the arena to its highest used place while the model runs once.

    Raises:
        ModelError: it is no readable .tflite flatbuffer.
    """
    tree = schema.read_tree(flatbuffer)
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first operator, last operator
    lives = _lives(tree, tree.subgraphs[0])
    for size, first, last in sorted(lives, key=lambda life: (-life[0], life[1])):
        meanwhile = sorted(other for other in placed if other[2] <= last and other[3] >= first)
        offset = 0
        for start, end, _, _ in meanwhile:
            if offset + size <= start:
                break
            offset = max(offset, end)
        placed.append((offset, offset + size, first, last))
    return max((end for _, end, _, _ in placed), default=0)


def _lives(tree: Any, subgraph: Any) -> list[tuple[int, int, int]]:
    """(bytes, first operator, last operator) of each tensor that is no constant."""
    num = len(subgraph.operators)
    born: dict[int, int] = {int(index): 0 for index in subgraph.inputs}
    dies: dict[int, int] = {}
    constants = {i for i, tensor in enumerate(subgraph.tensors) if schema.buffer_bytes(tree, tensor.buffer)}
    for number, operator in enumerate(subgraph.operators):
        read = [int(index) for index in operator.inputs if index >= 0 and int(index) not in constants]
        for index in read:
            dies[index] = number
        for index in operator.outputs:
            # What is computed from constants alone (float16 weights made float32) is kept from call to call.
            born[int(index)] = number if read else 0
            dies[int(index)] = number if read else num
    kept = {int(index) for index in (*subgraph.inputs, *subgraph.outputs)}
    kept |= {index for index, last in dies.items() if last == num}
    return [
        (_aligned(subgraph.tensors[index]), first, num if index in kept else dies.get(index, first))
        for index, first in sorted(born.items())
    ]


def _aligned(tensor: Any) -> int:
    dtype = schema.dtype_name(tensor)
    each = _BYTES[dtype] if dtype in _BYTES else np.dtype(dtype).itemsize
    count = math.prod(int(size) for size in (() if tensor.shape is None else tensor.shape))
    return ALIGNMENT * math.ceil(count * each / ALIGNMENT)
