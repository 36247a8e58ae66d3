"""Checks everything in a flatbuffer that an interpreter reads without checking, so that a truncated or forged file is
refused before an interpreter sees it.

tflite-runtime 2.14 checks almost none of this. Beyond the file's end it reads whatever memory the process holds there,
so such a file may work in one run and crash the process in the next.
"""

from __future__ import annotations

from edge_runtime.errors import ModelError
from edge_runtime.model.flatbuffer import Table

# Options that hold vectors or texts: their number in the union, with (field, bytes per item) of each vector.
_VECTORS_IN_OPTIONS = {3: ((1, 4), (2, 4)), 8: ((5, 1),), 17: ((0, 4),), 30: ((0, 4),), 115: ((0, 4),)}
_TEXTS_IN_OPTIONS = {111: (0, 1)}
# Offsets into the file beyond the flatbuffer; 1 means "not set yet".
_MOST_OFFSET = 1


def expect_sound(flatbuffer: bytes) -> None:
    """Checks that nothing in ``flatbuffer`` points outside it.

    Raises:
        ModelError: an offset or an index points outside, or it is larger than any classifier.
    """
    walk_soundly(Table.root(flatbuffer))


def walk_soundly(model: Table) -> None:
    """As `expect_sound`, for the root table of a flatbuffer."""
    buffers = model.tables(4)
    for buffer in buffers:
        buffer.length(0)
        _expect_inside("buffer", buffer.scalar(1, "Q"))
    codes = model.tables(1)
    for code in codes:
        code.expect_text(1)
    graphs = model.tables(2)
    for graph in graphs:
        _walk_graph(graph, len(codes), len(buffers))
    model.expect_text(3)
    for index in model.numbers(5, "i"):
        _expect_index("buffer", index, len(buffers))
    for metadata in model.tables(6):
        metadata.expect_text(0)
        _expect_index("buffer", metadata.scalar(1, "I"), len(buffers))
    for signature in model.tables(7):
        _walk_signature(signature, graphs)


def _walk_graph(graph: Table, num_codes: int, num_buffers: int) -> None:
    tensors = graph.tables(0)
    graph.expect_text(4)
    for index in graph.numbers(1, "i") + graph.numbers(2, "i"):
        _expect_index("tensor", index, len(tensors))
    for tensor in tensors:
        _walk_tensor(tensor, num_buffers)
    for operator in graph.tables(3):
        _expect_index("operator code", operator.scalar(0, "I"), num_codes)
        for index in operator.numbers(1, "i") + operator.numbers(2, "i") + operator.numbers(8, "i"):
            # -1 means that an optional input is absent.
            _expect_index("tensor", max(index, 0) if index == -1 else index, len(tensors))
        _walk_options(operator)


def _walk_tensor(tensor: Table, num_buffers: int) -> None:
    tensor.numbers(0, "i"), tensor.length(7, 4)
    tensor.expect_text(3)
    _expect_index("buffer", tensor.scalar(2, "I"), num_buffers)
    quantization = tensor.table(4)
    if quantization is not None:
        for field, size in ((0, 4), (1, 4), (2, 4), (3, 8)):
            quantization.length(field, size)
        quantization.table(5)
    if tensor.place(6):
        raise ModelError(
            "The flatbuffer has tensors in TFLite's sparse form, whose indices interpreters trust unchecked; "
            "expected dense ones. Convert the model without sparsity."
        )


def _walk_options(operator: Table) -> None:
    operator.length(5), operator.length(7)
    _expect_inside("custom options", operator.scalar(9, "Q"))
    options, kind = operator.table(4), operator.scalar(3, "B")
    operator.table(12)
    if options is None:
        return
    for field, size in _VECTORS_IN_OPTIONS.get(kind, ()):
        options.length(field, size)
    for field in _TEXTS_IN_OPTIONS.get(kind, ()):
        options.expect_text(field)


def _walk_signature(signature: Table, graphs: list[Table]) -> None:
    signature.expect_text(2)
    _expect_index("subgraph", signature.scalar(4, "I"), len(graphs))
    num_tensors = graphs[signature.scalar(4, "I")].length(0, 4)
    for each in signature.tables(0) + signature.tables(1):
        each.expect_text(0)
        _expect_index("tensor", each.scalar(1, "I"), num_tensors)


def _expect_index(what: str, index: int, count: int) -> None:
    if not 0 <= index < count:
        raise ModelError(f"The flatbuffer names {what} {index} of {count}: the file is damaged or cut short.")


def _expect_inside(what: str, offset: int) -> None:
    if offset > _MOST_OFFSET:
        raise ModelError(
            f"The flatbuffer keeps its {what} {offset} bytes into the file, outside of itself; expected them inside, "
            "as in every model below 2 GB."
        )
