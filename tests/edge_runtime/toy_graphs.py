"""Builds graphs as others make them, with the schema that ships in ai-edge-litert: a few operators on one image, whose
scores are the means of its channels, so that a test can tell by the answer what went in.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

flatbuffers = pytest.importorskip("flatbuffers")
schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

ADD, DEQUANTIZE, LOGISTIC, MUL, SOFTMAX, MEAN, SUB, DIV, QUANTIZE = 0, 6, 14, 18, 25, 40, 41, 42, 114
FLOAT32, INT32, UINT8, INT8 = 0, 2, 3, 9
_OPTIONS = {
    ADD: "AddOptions",
    MUL: "MulOptions",
    SUB: "SubOptions",
    DIV: "DivOptions",
    MEAN: "ReducerOptions",
    SOFTMAX: "SoftmaxOptions",
}


class Graph:
    """A float32 graph under construction on an input of ``shape``; ``signature`` has -1 where a side is open."""

    def __init__(self, shape: Sequence[int], signature: Sequence[int] | None = None) -> None:
        self._tensors: list[Any] = []
        self._buffers = [schema.BufferT()]
        self._operators: list[Any] = []
        self._codes: list[int] = []
        self._last = self._tensor(shape)
        if signature is not None:
            self._tensors[0].shapeSignature = list(signature)

    def rescale(self, code: int, constant: float) -> Graph:
        """One of ADD, MUL, SUB, DIV by a constant."""
        values = self._tensor((), FLOAT32, np.array(constant, np.float32))
        return self._operator(code, [self._last, values], self._tensors[self._last].shape)

    def quantize(self, scale: float, zero_point: int, dtype: int = INT8) -> Graph:
        """Through integers and back, as a graph of integers with float32 inputs begins."""
        shape = self._tensors[self._last].shape
        self._operator(QUANTIZE, [self._last], shape)
        stored, quantization = self._tensors[self._last], schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [scale], [zero_point]
        stored.type, stored.quantization = dtype, quantization
        return self._operator(DEQUANTIZE, [self._last], shape)

    def mean(self, *axes: int) -> Graph:
        """The mean over ``axes``, which disappear."""
        sizes = [size for axis, size in enumerate(self._tensors[self._last].shape) if axis not in axes]
        where = self._tensor((len(axes),), INT32, np.array(axes, np.int32))
        return self._operator(MEAN, [self._last, where], sizes)

    def end(self, code: int) -> bytes:
        """The flatbuffer, with SOFTMAX or LOGISTIC as the last operator."""
        self._operator(code, [self._last], self._tensors[self._last].shape)
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self._tensors, self._operators, [0], [self._last]
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], self._buffers, []
        for builtin in self._codes:
            opcode = schema.OperatorCodeT()
            opcode.builtinCode = opcode.deprecatedBuiltinCode = builtin
            opcode.version = 1
            model.operatorCodes.append(opcode)
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _tensor(self, shape: Sequence[int], dtype: int = FLOAT32, values: Any = None) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = list(shape), dtype, 0
        tensor.name = f"t{len(self._tensors)}".encode()
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = list(values.tobytes())
            tensor.buffer = len(self._buffers)
            self._buffers.append(buffer)
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _operator(self, code: int, inputs: list[int], shape: Sequence[int]) -> Graph:
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs = len(self._codes), inputs
        self._codes.append(code)
        self._last = self._tensor(shape)
        operator.outputs = [self._last]
        if code in _OPTIONS:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, _OPTIONS[code])
            operator.builtinOptions = getattr(schema, _OPTIONS[code] + "T")()
            if code == SOFTMAX:
                operator.builtinOptions.beta = 1.0
        self._operators.append(operator)
        return self


def colours(shape: Sequence[int] = (1, 8, 8, 3), signature: Sequence[int] | None = None) -> bytes:
    """A model that says which channel is the brightest."""
    return Graph(shape, signature).mean(1, 2).end(SOFTMAX)


def attach(content: bytes, member: str, text: str) -> bytes:
    """``content`` with a zip behind it that holds one file."""
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(zipfile.ZipInfo(member), text)
    return stream.getvalue()


def describe_with_metadata(content: bytes, mean: float, std: float, label_files: dict[str, str]) -> bytes:
    """``content`` with TFLite Metadata (metadata_schema.fbs, "M001") of one normalisation and of ``label_files``, names
    by locale.
    """
    builder = flatbuffers.Builder()
    numbers = [builder.CreateNumpyVector(np.array([value], np.float32)) for value in (mean, std)]
    unit = _table(builder, {1: _table(builder, dict(enumerate(numbers)))}, {0: 1})
    taken = _table(builder, {4: _vector(builder, unit)})
    files = []
    for locale, name in label_files.items():
        texts = {0: builder.CreateString(name)} | ({3: builder.CreateString(locale)} if locale else {})
        files.append(_table(builder, texts, {2: 2}))
    given = _table(builder, {6: _vector(builder, *files)})
    subgraph = _table(builder, {2: _vector(builder, taken), 3: _vector(builder, given)})
    builder.Finish(_table(builder, {3: _vector(builder, subgraph)}), file_identifier=b"M001")

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    entry, buffer = schema.MetadataT(), schema.BufferT()
    entry.name, entry.buffer, buffer.data = "TFLITE_METADATA", len(model.buffers), list(builder.Output())
    model.metadata = [*(model.metadata or []), entry]
    model.buffers.append(buffer)
    packed = flatbuffers.Builder()
    packed.Finish(model.Pack(packed), file_identifier=b"TFL3")
    return bytes(packed.Output())


def _table(builder: Any, offsets: dict[int, int], small: dict[int, int] | None = None) -> int:
    builder.StartObject(9)
    for place, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(place, offset, 0)
    for place, value in (small or {}).items():
        builder.PrependUint8Slot(place, value, 0)
    return int(builder.EndObject())


def _vector(builder: Any, *offsets: int) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
