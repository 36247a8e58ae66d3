"""What a .tflite file says about itself: its input and output tensor, its last operator, its standard TFLite Metadata.

Field numbers are those of TensorFlow's schema.fbs (version 3) and metadata_schema.fbs ("M001"). Needed for models that
carry no contract; never a substitute for one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from edge_runtime.contract import Normalization, TensorSpec
from edge_runtime.errors import ModelError
from edge_runtime.model.flatbuffer import Table
from edge_runtime.model.operators import refuse_custom_operators

METADATA_NAME = "TFLITE_METADATA"
_SCHEMA_VERSION = 3
_DTYPES = {0: "float32", 3: "uint8", 9: "int8"}
_SOFTMAX, _LOGISTIC = 25, 14
# Operators that change the form of scores, not what they mean: DEQUANTIZE, QUANTIZE, RESHAPE, SQUEEZE, EXPAND_DIMS.
_SAME_SCORES = frozenset((6, 114, 22, 43, 70))
_TENSOR_AXIS_LABELS, _TENSOR_VALUE_LABELS = 2, 3
_NORMALIZATION_OPTIONS = 1


@dataclass(frozen=True)
class Description:
    """``probabilities``: the output is that of a SOFTMAX or LOGISTIC; ``label_file`` is "", ``normalization``
    None where metadata is silent.
    """

    input_tensor: TensorSpec
    output_tensor: TensorSpec
    probabilities: bool
    normalization: Normalization | None
    label_file: str


def describe(flatbuffer: bytes, name: str) -> Description:
    """The Description of a .tflite flatbuffer; ``name`` is for the error text.

    Raises:
        ModelError: it is no TFLite file, is damaged, or is not one image in, one row of class scores out.
    """
    if flatbuffer[4:8] != b"TFL3":
        raise ModelError(f"{name} is not a TFLite file: bytes 4 to 7 are {flatbuffer[4:8]!r}, expected b'TFL3'.")
    model = Table.root(flatbuffer)
    if (version := model.scalar(0, "I")) != _SCHEMA_VERSION:
        raise ModelError(
            f"{name} has TFLite schema version {version}, expected {_SCHEMA_VERSION}: it is damaged, or of a format "
            "newer than this runtime. Copy it again; if that changes nothing, convert it with TensorFlow 2."
        )
    _walk(model)
    refuse_custom_operators([code.text(1) for code in model.tables(1)], name)
    subgraphs = model.tables(2)
    if not subgraphs:
        raise ModelError(f"{name} has no subgraph; expected a model with one input and one output.")
    graph = subgraphs[0]
    inputs, outputs = graph.numbers(1, "i"), graph.numbers(2, "i")
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{name} has {len(inputs)} inputs and {len(outputs)} outputs; "
            "expected 1 image in and 1 row of class scores out."
        )
    tensors = graph.tables(0)
    specs = [_tensor(tensors, index, name) for index in (inputs[0], outputs[0])]
    _expect_colour_image(specs[0].shape, name)
    specs[1] = _scores(specs[1], name)
    normalization, label_file = _metadata(model)
    return Description(specs[0], specs[1], _ends_in_probabilities(model, graph, outputs[0]), normalization, label_file)


def _walk(model: Table) -> None:
    """Reaches every vector that an interpreter reads, so that a file cut short is refused here.

    tflite-runtime 2.14 checks nothing of this itself and dies of SIGSEGV.
    """
    num_buffers = len([buffer.content(0) for buffer in model.tables(4)])
    num_codes = len([(code.content(1), code.scalar(3, "i")) for code in model.tables(1)])
    for graph in model.tables(2):
        tensors = graph.tables(0)
        for tensor in tensors:
            tensor.numbers(0, "i"), tensor.content(3), tensor.numbers(7, "i")
            _expect_index("buffer", tensor.scalar(2, "I"), num_buffers)
            quantization = tensor.table(4)
            if quantization:
                quantization.numbers(2, "f"), quantization.numbers(3, "q")
        for operator in graph.tables(3):
            _expect_index("operator code", operator.scalar(0, "I"), num_codes)
            for index in operator.numbers(1, "i") + operator.numbers(2, "i") + operator.numbers(8, "i"):
                # -1 stands for an optional input that is absent.
                _expect_index("tensor", max(index, 0) if index == -1 else index, len(tensors))
            operator.table(4), operator.content(5)


def _expect_index(what: str, index: int, count: int) -> None:
    if not 0 <= index < count:
        raise ModelError(f"The flatbuffer names {what} {index} of {count}: the file is damaged or cut short.")


def _tensor(tensors: list[Table], index: int, name: str) -> TensorSpec:
    if not 0 <= index < len(tensors):
        raise ModelError(f"{name} names tensor {index} of {len(tensors)}: the file is damaged.")
    tensor = tensors[index]
    code = tensor.scalar(1, "b")
    if code not in _DTYPES:
        raise ModelError(f"{name} has a tensor of TFLite type {code}; expected float32, uint8 or int8 in and out.")
    quantization = tensor.table(4)
    scales = quantization.numbers(2, "f") if quantization else ()
    zero_points = quantization.numbers(3, "q") if quantization else ()
    quantized = _DTYPES[code] != "float32" and len(scales) == 1
    return TensorSpec(
        shape=tensor.numbers(0, "i"),
        dtype=_DTYPES[code],
        scale=scales[0] if quantized else 0.0,
        zero_point=zero_points[0] if quantized and zero_points else 0,
    )


def _expect_colour_image(shape: tuple[int, ...], name: str) -> None:
    what = "it does not classify colour images"
    if len(shape) == 4:
        if shape[1] in (1, 3) and shape[3] not in (1, 3):
            what = "its channels come first (NCHW); convert it again with channels last (onnx2tf does that by default)"
        elif shape[3] == 1:
            what = "it classifies grey images (one channel); convert a model for three channels"
        elif shape[0] != 1 and shape[3] == 3:
            what = f"it takes {shape[0]} images at once; convert it again with a batch size of 1"
    if len(shape) != 4 or shape[0] != 1 or shape[3] != 3:
        raise ModelError(f"{name} takes {shape}, expected (1, height, width, 3): {what}.")


def _scores(tensor: TensorSpec, name: str) -> TensorSpec:
    """``tensor`` as (1, classes), which is how (classes,) and (1, 1, 1, classes) are read."""
    if not tensor.shape or any(size != 1 for size in tensor.shape[:-1]):
        raise ModelError(f"{name} gives {tensor.shape}, expected (1, classes): it does not classify images.")
    if tensor.shape[-1] == 1:
        raise ModelError(
            f"{name} gives one number for an image, expected one score a class: it is a binary classifier (or a "
            "regression). Convert it again with two outputs and a softmax."
        )
    return dataclasses.replace(tensor, shape=(1, tensor.shape[-1]))


def _ends_in_probabilities(model: Table, graph: Table, output: int) -> bool:
    """Whether a SOFTMAX or LOGISTIC gave the scores, whatever only changed their form after it."""
    codes = [max(code.scalar(0, "b"), code.scalar(3, "i")) for code in model.tables(1)]
    for operator in reversed(graph.tables(3)):
        index = operator.scalar(0, "I")
        code = codes[index] if index < len(codes) else -1
        if output in operator.numbers(2, "i"):
            inputs = operator.numbers(1, "i")
            if code not in _SAME_SCORES or not inputs:
                return code in (_SOFTMAX, _LOGISTIC)
            output = inputs[0]
    return False


def _metadata(model: Table) -> tuple[Normalization | None, str]:
    buffers = model.tables(4)
    for entry in model.tables(6):
        index = entry.scalar(1, "I")
        if entry.text(0) == METADATA_NAME and index < len(buffers):
            subgraphs = Table.root(buffers[index].content(0)).tables(3)
            if subgraphs:
                return _normalization(subgraphs[0]), _label_file(subgraphs[0])
    return None, ""


def _normalization(subgraph: Table) -> Normalization | None:
    for tensor in subgraph.tables(2)[:1]:
        for unit in tensor.tables(4):
            options = unit.table(1)
            if unit.scalar(0, "B") == _NORMALIZATION_OPTIONS and options:
                return Normalization(options.numbers(0, "f"), options.numbers(1, "f"))
    return None


def _label_file(subgraph: Table) -> str:
    for tensor in subgraph.tables(3)[:1]:
        for file in tensor.tables(6):
            if file.scalar(2, "b") in (_TENSOR_AXIS_LABELS, _TENSOR_VALUE_LABELS) and not file.text(3):
                return file.text(0)
    return ""
