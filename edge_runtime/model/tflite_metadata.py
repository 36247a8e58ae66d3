"""What a .tflite file says about itself: its input and output tensors, its first and last operators, and its standard
TFLite Metadata.

Field numbers are those of TensorFlow's schema.fbs (version 3) and metadata_schema.fbs ("M001"). Needed for models
without a contract; never a substitute for one.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from edge_runtime.contract import Normalization, TensorSpec
from edge_runtime.contract.layout import InputLayout
from edge_runtime.errors import ModelError
from edge_runtime.model.flatbuffer import Table
from edge_runtime.model.operators import refuse_custom_operators
from edge_runtime.model.own_rescaling import OwnRescaling, find_own_rescaling, find_quantized_range
from edge_runtime.model.soundness import walk_soundly

METADATA_NAME = "TFLITE_METADATA"
_SCHEMA_VERSION = 3
_DTYPES = {0: "float32", 3: "uint8", 9: "int8"}
_OTHER_DTYPES = {
    1: "float16",
    2: "int32",
    4: "int64",
    5: "string",
    6: "bool",
    7: "int16",
    10: "float64",
    15: "uint32",
    16: "uint16",
    17: "int4",
}
_REMEDIES = {
    "float16": "; convert it again with float32 in and out, its weights may stay float16",
    "float64": "; convert it again with float32 in and out",
    "int16": "; convert it again with activations of 8 bits, or with float32 in and out",
    "int32": ", such as words as numbers",
    "string": ", such as text or whole JPEG files; convert again the part that begins with the pixels",
}
_CLASS_NUMBERS = (2, 4)
_IS_VARIABLE = 5
_SOFTMAX, _LOGISTIC = 25, 14
# Operators that change the format of scores, not their meaning: DEQUANTIZE, QUANTIZE, RESHAPE, SQUEEZE, EXPAND_DIMS.
_SAME_SCORES = frozenset((6, 114, 22, 43, 70))
_TENSOR_AXIS_LABELS, _TENSOR_VALUE_LABELS = 2, 3
_NORMALIZATION_OPTIONS = 1


@dataclass(frozen=True)
class Description:
    """``probabilities``: the output comes from a SOFTMAX or LOGISTIC. ``label_file`` is "" and ``normalization`` None
    if metadata does not say. ``layout`` is the order of the input's axes and colours; ``has_open_size``: its height and
    width may be chosen. ``rescaling`` is what the first operators do to pixels, None for nothing; ``quantized_range``
    is the range of numbers that an integer graph can take from its float input, or None.
    """

    input_tensor: TensorSpec
    output_tensor: TensorSpec
    probabilities: bool
    normalization: Normalization | None
    label_file: str
    layout: InputLayout
    has_open_size: bool
    rescaling: OwnRescaling | None
    quantized_range: tuple[float, float] | None


def describe(flatbuffer: bytes, name: str) -> Description:
    """The Description of a .tflite flatbuffer; ``name`` is for the error text.

    Raises:
        ModelError: it is not a TFLite file, is damaged, or does not turn one image into one row of class scores.
    """
    if flatbuffer[4:8] != b"TFL3":
        raise ModelError(f"{name} is not a TFLite file: bytes 4 to 7 are {flatbuffer[4:8]!r}, expected b'TFL3'.")
    model = Table.root(flatbuffer)
    if (version := model.scalar(0, "I")) != _SCHEMA_VERSION:
        raise ModelError(
            f"{name} has TFLite schema version {version}, expected {_SCHEMA_VERSION}: it is damaged, or of a format "
            "newer than this runtime. Copy it again; if that changes nothing, convert it with TensorFlow 2."
        )
    walk_soundly(model)
    refuse_custom_operators([code.text(1) for code in model.tables(1)], name)
    subgraphs = model.tables(2)
    if not subgraphs:
        raise ModelError(f"{name} has no subgraph; expected a model with one input and one output.")
    graph = subgraphs[0]
    inputs, outputs = graph.numbers(1, "i"), graph.numbers(2, "i")
    tensors = graph.tables(0)
    if len(inputs) != 1 or len(outputs) != 1:
        told = [
            f"{len(indices)} {what}{'s' * (len(indices) != 1)}{_list_shapes(tensors, indices)}"
            for what, indices in (("input", inputs), ("output", outputs))
        ]
        raise ModelError(
            f"{name} has {' and '.join(told)}; expected 1 image in and 1 row of class scores out. Convert it again "
            "from a model with these alone."
        )
    taken, given = (_tensor(tensors, index, name, is_output=index == outputs[0]) for index in (inputs[0], outputs[0]))
    layout = _layout(taken.shape, name)
    if any(tensor.scalar(_IS_VARIABLE, "B") for tensor in tensors):
        raise ModelError(
            f"{name} keeps a state from one image to the next (the variable tensors of an LSTM or GRU), so an answer "
            "depends on what came before; expected a model that sees each image by itself. Convert it again with "
            "unroll=True in these layers."
        )
    normalization, label_file = _metadata(model)
    signature = tensors[inputs[0]].numbers(7, "i")
    open_sides = signature[2:] if layout.axes == "NCHW" else signature[1:3]
    return Description(
        taken,
        _scores(given, name),
        _ends_in_probabilities(model, graph, outputs[0]),
        normalization,
        label_file,
        layout,
        len(signature) == len(taken.shape) and -1 in open_sides,
        find_own_rescaling(model, graph, inputs[0]) if taken.dtype == "float32" else None,
        find_quantized_range(model, graph, inputs[0]) if taken.dtype == "float32" else None,
    )


def _list_shapes(tensors: list[Table], indices: tuple[int, ...]) -> str:
    """The shapes of several tensors, in brackets; empty for a single one."""
    shapes = [str(tensors[index].numbers(0, "i")) for index in indices[:4] if 0 <= index < len(tensors)]
    return f" ({', '.join(shapes)}{', ...' * (len(indices) > 4)})" if len(indices) > 1 else ""


def _tensor(tensors: list[Table], index: int, name: str, *, is_output: bool) -> TensorSpec:
    """Tensor ``index``; 8-bit numbers without a scale are taken as they are in an input, and refused in an output."""
    if not 0 <= index < len(tensors):
        raise ModelError(f"{name} names tensor {index} of {len(tensors)}: the file is damaged.")
    tensor = tensors[index]
    code = tensor.scalar(1, "b")
    if is_output and code in _CLASS_NUMBERS:
        raise ModelError(
            f"{name} gives {_OTHER_DTYPES[code]} numbers, such as those of classes, expected scores: convert it again "
            "without the ARG_MAX at its end."
        )
    if code not in _DTYPES:
        dtype, verb = _OTHER_DTYPES.get(code, f"TFLite type {code}"), "gives" if is_output else "takes"
        remedy = _REMEDIES.get(dtype, "")
        raise ModelError(f"{name} {verb} {dtype}, expected float32, uint8 or int8{remedy}.")
    quantization = tensor.table(4)
    scales = quantization.numbers(2, "f") if quantization else ()
    zero_points = quantization.numbers(3, "q") if quantization else ()
    quantized = _DTYPES[code] != "float32" and len(scales) == 1
    return TensorSpec(
        shape=tensor.numbers(0, "i"),
        dtype=_DTYPES[code],
        scale=scales[0] if quantized else float(_DTYPES[code] != "float32" and not is_output),
        zero_point=zero_points[0] if quantized and zero_points else 0,
    )


def _layout(shape: tuple[int, ...], name: str) -> InputLayout:
    """Which axes of ``shape`` are height, width and channels."""
    what = "it does not classify images"
    if len(shape) == 3 and shape[0] == 1:
        return InputLayout("grey", "NHW")
    if len(shape) == 4 and shape[0] != 1:
        what = f"it takes {shape[0]} images at once; convert it again with a batch size of 1"
    elif len(shape) == 4:
        for channels, count in (("rgb", 3), ("grey", 1)):
            for axes, place in (("NHWC", 3), ("NCHW", 1)):
                if shape[place] == count:
                    return InputLayout(channels, axes)
        first = f" (or {shape[1]}, if they come first)" if shape[1] < shape[3] else ""
        what = f"it takes {shape[3]} channels{first}, expected 3 for colours or 1 for grey"
    elif len(shape) == 3 and shape[2] in (1, 3):
        what = "it has no axis for the batch; convert it again with a batch size of 1"
    elif len(shape) == 5:
        what = "it takes several frames of a video, or a volume, at once"
    elif len(shape) == 2:
        what = f"it takes a row of {shape[1]} numbers, such as sound or a flattened image{_guess_flat(shape[1])}"
    raise ModelError(f"{name} takes {shape}, expected (1, height, width, 3): {what}.")


def _guess_flat(number: int) -> str:
    """The text " of 28x28" if ``number`` is that of the values in a square image, in colour or grey; else empty."""
    sides = [(math.isqrt(number // channels), channels) for channels in (3, 1)]
    fitting = [side for side, channels in sides if side * side * channels == number and side > 7]
    return f" of {fitting[0]}x{fitting[0]}" if fitting else ""


def _scores(tensor: TensorSpec, name: str) -> TensorSpec:
    """``tensor`` with the shape (1, classes), into which (classes,), (1, 1, 1, classes) and (1, classes, 1, 1) turn."""
    if not tensor.shape or min(tensor.shape) < 1 or math.prod(tensor.shape) != max(tensor.shape):
        what = "it does not classify images"
        if len(tensor.shape) == 4:
            what += f", but each of {tensor.shape[1]}x{tensor.shape[2]} places; if its pooling was left out, convert it"
            what += " again with it"
        elif len(tensor.shape) == 3:
            what += ", but finds objects or points in them, or reads a sequence"
        raise ModelError(f"{name} gives {tensor.shape}, expected (1, classes): {what}.")
    return dataclasses.replace(tensor, shape=(1, max(tensor.shape)))


def _ends_in_probabilities(model: Table, graph: Table, output: int) -> bool:
    """Whether the scores come from a SOFTMAX or LOGISTIC, possibly through operators that only change their format."""
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
    """The English list of labels, else the one without a locale, else any. A file with a list of ids and one of names
    has the ids in the list without a locale.
    """
    files: dict[str, str] = {}
    for tensor in subgraph.tables(3)[:1]:
        for file in tensor.tables(6):
            if file.scalar(2, "b") in (_TENSOR_AXIS_LABELS, _TENSOR_VALUE_LABELS):
                files.setdefault(file.text(3), file.text(0))
    return files.get("en") or files.get("") or next(iter(files.values()), "")
