"""Makes the toy models of these tests, once, with TensorFlow: `python tests/edge_runtime/make_toys.py`.

Each takes an 8x8 image, averages it to one colour and says which of red, green, blue it has most of, so a test can
tell by the answer alone whether colours were swapped. The results are committed: the tests need no TensorFlow.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

TOYS = Path(__file__).parent / "toys"
LABELS = ("red", "green", "blue")


def build(*, softmax: bool) -> keras.Model:
    pixels = keras.Input(batch_shape=(1, 8, 8, 3))
    mixed = keras.layers.Conv2D(3, 1, use_bias=False, name="mix")(pixels)
    scores = keras.layers.Dense(3, use_bias=False, name="score")(keras.layers.GlobalAveragePooling2D()(mixed))
    model = keras.Model(pixels, keras.layers.Softmax()(scores) if softmax else scores)
    model.get_layer("mix").set_weights([np.eye(3, dtype=np.float32).reshape(1, 1, 3, 3)])
    model.get_layer("score").set_weights([4 * np.eye(3, dtype=np.float32)])
    return model


def normalised_colours() -> Iterator[list[np.ndarray]]:
    """Both extremes and random colours as (pixel - 127) / 128, for a scale of 1/128 and zero point 127."""
    colours = np.random.default_rng(0).integers(0, 256, (62, 3))
    for colour in [*colours, np.zeros(3), np.full(3, 255)]:
        yield [np.broadcast_to((colour - 127) / 128, (1, 8, 8, 3)).astype(np.float32)]


def convert(dtype: str, *, softmax: bool = True) -> bytes:
    keras.backend.clear_session()
    converter = tf.lite.TFLiteConverter.from_keras_model(build(softmax=softmax))
    if dtype != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = normalised_colours
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(dtype)
    return converter.convert()


def table(builder: flatbuffers.Builder, fields: dict[int, int], small: dict[int, int] | None = None) -> int:
    """The offset of a new table; ``fields`` are offsets by field number, ``small`` byte values."""
    builder.StartObject(9)
    for field, offset in fields.items():
        builder.PrependUOffsetTRelativeSlot(field, offset, 0)
    for field, value in (small or {}).items():
        builder.PrependUint8Slot(field, value, 0)
    return builder.EndObject()


def tables(builder: flatbuffers.Builder, *offsets: int) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def metadata() -> bytes:
    """TFLite Metadata (metadata_schema.fbs, "M001"): normalisation (pixel - 127) / 128, labels in labels.txt."""
    builder = flatbuffers.Builder()
    mean, std = (builder.CreateNumpyVector(np.array([value], np.float32)) for value in (127, 128))
    unit = table(builder, {1: table(builder, {0: mean, 1: std})}, {0: 1})
    taken = table(builder, {4: tables(builder, unit)})
    labels = table(builder, {0: builder.CreateString("labels.txt")}, {2: 2})
    given = table(builder, {6: tables(builder, labels)})
    subgraph = table(builder, {2: tables(builder, taken), 3: tables(builder, given)})
    builder.Finish(table(builder, {3: tables(builder, subgraph)}), file_identifier=b"M001")
    return bytes(builder.Output())


def with_metadata(flatbuffer: bytes) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    entry, buffer = schema.MetadataT(), schema.BufferT()
    entry.name, entry.buffer, buffer.data = "TFLITE_METADATA", len(model.buffers), list(metadata())
    model.metadata = [*(model.metadata or []), entry]
    model.buffers.append(buffer)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def with_labels(flatbuffer: bytes) -> bytes:
    stream = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(zipfile.ZipInfo("labels.txt"), "".join(f"{label}\n" for label in LABELS))
    return stream.getvalue()


def main() -> None:
    TOYS.mkdir(exist_ok=True)
    for dtype in ("uint8", "int8", "float32"):
        (TOYS / f"{dtype}.tflite").write_bytes(convert(dtype))
    (TOYS / "uint8_metadata.tflite").write_bytes(with_labels(with_metadata(convert("uint8"))))
    (TOYS / "int8_logits.tflite").write_bytes(convert("int8", softmax=False))


if __name__ == "__main__":
    main()
