"""A flatbuffer written smaller without changing what it computes: equal parts once, fields that nothing
reads left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convert.tflite import schema
from edge_runtime.errors import ModelError
from edge_runtime.inference.interpreter import Interpreter, available_backends


def pack(flatbuffer: bytes, rename: Callable[[str], str] | None = None) -> bytes:
    """``flatbuffer`` written anew, never larger; ``rename`` may give tensors shorter names.

    Raises:
        ModelError: it is no flatbuffer of ours to rewrite, or the result would differ in more than what nothing reads.
    """
    tree = schema.read_tree(flatbuffer)
    for subgraph in tree.subgraphs:
        for tensor in subgraph.tensors or ():
            _drop_unread(tensor)
            if rename:
                tensor.name = rename(schema.text(tensor.name))
    _merge_buffers(tree)
    packed = schema.write_tree(tree)
    if len(packed) >= len(flatbuffer):
        return flatbuffer
    found = differences(flatbuffer, packed, names=rename is None)
    if found:
        raise ModelError(f"Packing would change the model ({found[0]}); keep the file as it is and report this.")
    return packed


def short_name(name: str) -> str:
    """The layer's part of a tensor name that the converter made of a path of scopes, or of several joined by
    semicolons.
    """
    parts = name.split(";")[-1].split("/")
    return parts[-2] if len(parts) > 1 else parts[0]


def differences(original: bytes, packed: bytes, *, names: bool = True) -> tuple[str, ...]:
    """What differs between two models apart from fields that no interpreter reads; empty when they are the same
    model.
    """
    left, right = schema.read_tree(original), schema.read_tree(packed)
    found: list[str] = []
    _compare("the operator kinds", _plain(left.operatorCodes), _plain(right.operatorCodes), found)
    _compare("the signatures", _plain(left.signatureDefs), _plain(right.signatureDefs), found)
    _compare("the metadata", _metadata(left), _metadata(right), found)
    _compare("the number of subgraphs", len(left.subgraphs), len(right.subgraphs), found)
    for number, (one, two) in enumerate(zip(left.subgraphs, right.subgraphs, strict=False)):
        where = f"of subgraph {number}"
        _compare(f"the inputs and outputs {where}", _ends(one), _ends(two), found)
        _compare(f"the number of tensors {where}", len(one.tensors), len(two.tensors), found)
        _compare(f"the number of operators {where}", len(one.operators), len(two.operators), found)
        for index, (a, b) in enumerate(zip(one.tensors, two.tensors, strict=False)):
            _compare(f"tensor {index} {where}", _tensor(left, a, names), _tensor(right, b, names), found)
        for index, (a, b) in enumerate(zip(one.operators, two.operators, strict=False)):
            _compare(f"operator {index} {where}", _plain(a), _plain(b), found)
    return tuple(found)


def differing_outputs(original: bytes, packed: bytes, num_inputs: int = 8) -> tuple[str, ...]:
    """The interpreters on which the two models do not give the same bytes for ``num_inputs`` random inputs.

    Raises:
        ModelError: an interpreter loads only one of the two.
    """
    differing = []
    for backend in available_backends():
        one, two = Interpreter(original, backend), Interpreter(packed, backend)
        random = np.random.default_rng(20240229)
        for _ in range(num_inputs):
            stored = random.integers(0, 256, one.input.shape[1:], np.uint8)
            image = stored.astype(np.float32) if one.input.dtype == "float32" else stored.view(one.input.dtype)
            if one.invoke(image).tobytes() != two.invoke(image).tobytes():
                differing.append(backend)
                break
    return tuple(differing)


def _drop_unread(tensor: Any) -> None:
    quantization = tensor.quantization
    if quantization is not None:
        quantization.min = quantization.max = None
        if quantization.scale is None and quantization.zeroPoint is None and quantization.details is None:
            tensor.quantization = None
    if tensor.shapeSignature is not None and np.array_equal(tensor.shapeSignature, tensor.shape):
        tensor.shapeSignature = None


def _merge_buffers(tree: Any) -> None:
    """Buffer 0 is the schema's empty one: all empty buffers become it, equal ones become one, unused ones go."""
    place = {b"": 0}
    kept = [tree.buffers[0]]
    if schema.buffer_bytes(tree, 0):
        raise ModelError(
            "Buffer 0 of the model is not empty, expected the empty one; the file breaks the schema's rule."
        )

    def moved(index: int) -> int:
        content = schema.buffer_bytes(tree, index)
        if content not in place:
            place[content] = len(kept)
            kept.append(tree.buffers[index])
        return place[content]

    for subgraph in tree.subgraphs:
        for tensor in subgraph.tensors or ():
            tensor.buffer = moved(tensor.buffer)
    for entry in tree.metadata or ():
        entry.buffer = moved(entry.buffer)
    if tree.metadataBuffer is not None:
        tree.metadataBuffer = np.array([moved(int(index)) for index in tree.metadataBuffer], np.int32)
    tree.buffers = kept


def _compare(what: str, one: Any, two: Any, found: list[str]) -> None:
    if one != two:
        found.append(f"{what}: {str(one)[:120]} became {str(two)[:120]}")


def _plain(value: Any) -> Any:
    """A comparable form of a schema object: nested lists and dictionaries of numbers, text and bytes."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tobytes()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if hasattr(value, "__dict__"):
        return {"type": type(value).__name__, **{name: _plain(item) for name, item in vars(value).items()}}
    return value


def _ends(subgraph: Any) -> Any:
    return _plain(subgraph.inputs), _plain(subgraph.outputs), schema.text(subgraph.name)


def _metadata(tree: Any) -> list[tuple[str, bytes]]:
    return [(schema.text(entry.name), schema.buffer_bytes(tree, entry.buffer)) for entry in tree.metadata or ()]


def _tensor(tree: Any, tensor: Any, names: bool) -> dict[str, Any]:
    """All that an interpreter reads of one tensor, its weights included."""
    fields = {
        name: _plain(value) for name, value in vars(tensor).items() if name not in ("buffer", "name", "quantization")
    }
    fields["data"] = schema.buffer_bytes(tree, tensor.buffer)
    signature = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
    fields["shapeSignature"] = None if signature is None else [int(size) for size in signature]
    quantization = {} if tensor.quantization is None else vars(tensor.quantization)
    fields["quantization"] = {
        name: _plain(value)
        for name, value in quantization.items()
        if name not in ("min", "max") and value is not None and not (np.isscalar(value) and value == 0)
    }
    return {**fields, "name": schema.text(tensor.name)} if names else fields
