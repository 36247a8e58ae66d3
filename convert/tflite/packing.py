"""Makes a flatbuffer smaller without changing what it computes: stores equal parts once, leaves out unread fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.tflite import schema
from edge_runtime.errors import ModelError
from edge_runtime.inference.interpreter import Interpreter, list_available_backends


@dataclass(frozen=True, eq=False)
class Packed:
    """A packed flatbuffer, and the ``ModelT`` tree that was read back from it, which must not be changed."""

    flatbuffer: bytes
    tree: Any


def pack(flatbuffer: bytes, rename: Callable[[str], str] | None = None) -> bytes:
    """``flatbuffer`` rewritten, never larger; ``rename`` may give tensors shorter names.

    Raises: as `schema.read_tree` and `write_packed`.
    """
    packed = write_packed(schema.read_tree(flatbuffer), rename).flatbuffer
    return packed if len(packed) < len(flatbuffer) else flatbuffer


def write_packed(tree: Any, rename: Callable[[str], str] | None = None) -> Packed:
    """``tree`` as a packed flatbuffer, read back and compared part by part; ``tree`` itself must not be used again.

    Raises:
        ModelError: the result would differ in something that is read.
    """
    before = _describe(tree, names=rename is None)
    for subgraph in tree.subgraphs:
        for tensor in subgraph.tensors or ():
            _drop_unread(tensor)
            if rename:
                tensor.name = rename(schema.read_text(tensor.name))
    _merge_buffers(tree)
    flatbuffer = schema.write_tree(tree)
    packed = Packed(flatbuffer, schema.read_tree(flatbuffer))
    found = _list_differences(before, _describe(packed.tree, names=rename is None))
    if found:
        raise ModelError(f"Packing would change the model ({found[0]}); keep the file as it is and report this.")
    return packed


def shorten_name(name: str) -> str:
    """The layer's part of a tensor name, which the converter makes of a path of scopes, or of several joined by
    semicolons.
    """
    parts = name.split(";")[-1].split("/")
    return parts[-2] if len(parts) > 1 else parts[0]


def find_differences(original: bytes, packed: bytes, *, names: bool = True) -> tuple[str, ...]:
    """What differs between two models, ignoring fields that no interpreter reads; empty when nothing does."""
    left, right = (_describe(schema.read_tree(content), names=names) for content in (original, packed))
    return _list_differences(left, right)


def compare_outputs(
    original: Mapping[str, Interpreter], packed: Mapping[str, Interpreter], num_inputs: int = 8
) -> tuple[str, ...]:
    """The backends on which the two models give different bytes for ``num_inputs`` random inputs; both models are open
    on the same backends.
    """
    differing = []
    for backend, one in original.items():
        random = np.random.default_rng(20240229)
        for _ in range(num_inputs):
            stored = random.integers(0, 256, one.input.shape[1:], np.uint8)
            image = stored.astype(np.float32) if one.input.dtype == "float32" else stored.view(one.input.dtype)
            if one.invoke(image).tobytes() != packed[backend].invoke(image).tobytes():
                differing.append(backend)
                break
    return tuple(differing)


def open_interpreters(flatbuffer: bytes) -> dict[str, Interpreter]:
    """The model on each installed backend, by its name.

    Raises:
        ModelError: one of them refuses it.
    """
    return {backend: Interpreter(flatbuffer, backend) for backend in list_available_backends()}


def _drop_unread(tensor: Any) -> None:
    quantization = tensor.quantization
    if quantization is not None:
        quantization.min = quantization.max = None
        if quantization.scale is None and quantization.zeroPoint is None and quantization.details is None:
            tensor.quantization = None
    if tensor.shapeSignature is not None and np.array_equal(tensor.shapeSignature, tensor.shape):
        tensor.shapeSignature = None


def _merge_buffers(tree: Any) -> None:
    """Merges equal buffers and drops unused ones; empty ones become buffer 0, which the schema wants empty."""
    place = {b"": 0}
    kept = [tree.buffers[0]]
    if schema.read_buffer(tree, 0):
        raise ModelError(
            "Buffer 0 of the model is not empty, expected the empty one; the file breaks the schema's rule."
        )

    def moved(index: int) -> int:
        content = schema.read_buffer(tree, index)
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


def _describe(tree: Any, *, names: bool) -> dict[str, Any]:
    """Everything that an interpreter reads of a model, part by part, in a form that can be compared."""
    parts = {
        "the operator kinds": _plain(tree.operatorCodes),
        "the signatures": _plain(tree.signatureDefs),
        "the metadata": _metadata(tree),
        "the number of subgraphs": len(tree.subgraphs),
    }
    for number, subgraph in enumerate(tree.subgraphs):
        where = f"of subgraph {number}"
        parts[f"the inputs and outputs {where}"] = _ends(subgraph)
        parts[f"the number of tensors {where}"] = len(subgraph.tensors)
        parts[f"the number of operators {where}"] = len(subgraph.operators)
        for index, tensor in enumerate(subgraph.tensors):
            parts[f"tensor {index} {where}"] = _tensor(tree, tensor, names)
        for index, operator in enumerate(subgraph.operators):
            parts[f"operator {index} {where}"] = _plain(operator)
    return parts


def _list_differences(one: dict[str, Any], two: dict[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{what}: {str(one.get(what))[:120]} became {str(two.get(what))[:120]}"
        for what in dict.fromkeys((*one, *two))
        if one.get(what) != two.get(what)
    )


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
    return _plain(subgraph.inputs), _plain(subgraph.outputs), schema.read_text(subgraph.name)


def _metadata(tree: Any) -> list[tuple[str, bytes]]:
    return [(schema.read_text(entry.name), schema.read_buffer(tree, entry.buffer)) for entry in tree.metadata or ()]


def _tensor(tree: Any, tensor: Any, names: bool) -> dict[str, Any]:
    """Everything that an interpreter reads of one tensor, including its weights."""
    fields = {
        name: _plain(value) for name, value in vars(tensor).items() if name not in ("buffer", "name", "quantization")
    }
    fields["data"] = schema.read_buffer(tree, tensor.buffer)
    signature = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
    fields["shapeSignature"] = None if signature is None else [int(size) for size in signature]
    quantization = {} if tensor.quantization is None else vars(tensor.quantization)
    fields["quantization"] = {
        name: _plain(value)
        for name, value in quantization.items()
        if name not in ("min", "max") and value is not None and not (np.isscalar(value) and value == 0)
    }
    return {**fields, "name": schema.read_text(tensor.name)} if names else fields
