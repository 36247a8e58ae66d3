"""Writes the standard TFLite Metadata that MediaPipe and Android read: a description of the input image, and the name
of the label file.

The fields and their numbers are those of metadata_schema.fbs ("M001"); its reader is
`edge_runtime.model.tflite_metadata`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np

from convert.tflite import schema
from edge_runtime.contract import Normalization
from edge_runtime.model.model_file import LABELS
from edge_runtime.model.tflite_metadata import METADATA_NAME

_IDENTIFIER = b"M001"
_MIN_PARSER_VERSION = "1.0.0"
_FEATURE_PROPERTIES, _IMAGE_PROPERTIES, _RGB = 1, 2, 1
_NORMALIZATION_OPTIONS, _TENSOR_AXIS_LABELS = 1, 2


def set_metadata(tree: Any, name: str, normalization: Normalization) -> None:
    """Sets or replaces the TFLite Metadata of a ``ModelT`` tree; ``normalization`` is in pixel units, one value or R,
    G, B.
    """
    tree.metadata = [entry for entry in tree.metadata or [] if schema.read_text(entry.name) != METADATA_NAME]
    content = np.frombuffer(_metadata(name, normalization), np.uint8)
    tree.metadata.append(schema.make_metadata_entry(METADATA_NAME, len(tree.buffers)))
    tree.buffers.append(schema.AlignedBuffer(data=content))


def _metadata(name: str, normalization: Normalization) -> bytes:
    builder = flatbuffers.Builder(1024)
    colours = _table(builder, 2, [(0, "Uint8", _RGB)])
    content = _table(builder, 3, [(0, "Uint8", _IMAGE_PROPERTIES), (1, "offset", colours)])
    mean, std = (
        builder.CreateNumpyVector(np.array(values, np.float32)) for values in (normalization.mean, normalization.std)
    )
    options = _table(builder, 2, [(0, "offset", mean), (1, "offset", std)])
    unit = _table(builder, 2, [(0, "Uint8", _NORMALIZATION_OPTIONS), (1, "offset", options)])
    input_fields = [
        (0, "offset", builder.CreateString("image")),
        (3, "offset", content),
        (4, "offset", _vector(builder, [unit])),
    ]
    input_tensor = _table(builder, 7, input_fields)
    file_fields = [(0, "offset", builder.CreateString(LABELS)), (2, "Int8", _TENSOR_AXIS_LABELS)]
    labels = _table(builder, 5, file_fields)
    feature = _table(builder, 0, [])
    scores = _table(builder, 3, [(0, "Uint8", _FEATURE_PROPERTIES), (1, "offset", feature)])
    probability = [
        (0, "offset", builder.CreateString("probability")),
        (3, "offset", scores),
        (6, "offset", _vector(builder, [labels])),
    ]
    output_tensor = _table(builder, 7, probability)
    vectors = [(2, "offset", _vector(builder, [input_tensor])), (3, "offset", _vector(builder, [output_tensor]))]
    subgraph = _table(builder, 10, vectors)
    model = [
        (0, "offset", builder.CreateString(name)),
        (3, "offset", _vector(builder, [subgraph])),
        (7, "offset", builder.CreateString(_MIN_PARSER_VERSION)),
    ]
    builder.Finish(_table(builder, 8, model), _IDENTIFIER)
    return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, num_fields: int, fields: Sequence[tuple[int, str, int]]) -> int:
    builder.StartObject(num_fields)
    for number, kind, value in fields:
        if kind == "offset":
            builder.PrependUOffsetTRelativeSlot(number, value, 0)
        else:
            getattr(builder, f"Prepend{kind}Slot")(number, value, 0)
    return int(builder.EndObject())


def _vector(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
