"""A flatbuffer that leads out of itself is refused at each place that interpreters read without asking."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.errors import ModelError
from edge_runtime.model.flatbuffer import Table
from edge_runtime.model.soundness import expect_sound

MODELS = Path(__file__).parents[3] / "edge_runtime" / "models"


@pytest.fixture
def flatbuffer(toy_path: Path) -> bytearray:
    whole = toy_path.read_bytes()
    return bytearray(whole[: whole.index(b"PK\x03\x04")])


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.tflite")), ids=lambda path: path.stem)
def test_the_shipped_models_are_sound(path: Path) -> None:
    content = path.read_bytes()
    expect_sound(content[: content.index(b"PK\x03\x04")])


def tensor(root: Table) -> Table:
    return root.tables(2)[0].tables(0)[0]


def convolution(root: Table) -> Table:
    return root.tables(2)[0].tables(3)[1]


def options(root: Table) -> Table:
    found = convolution(root).table(4)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "find", [tensor, convolution, options, lambda root: root.tables(1)[0], lambda root: root.tables(2)[0]]
)
def test_a_field_behind_the_end_of_its_table(flatbuffer: bytearray, find: Callable[[Table], Table]) -> None:
    table = find(Table.root(bytes(flatbuffer)))
    size = struct.unpack_from("<H", flatbuffer, table._vtable + 2)[0]
    struct.pack_into("<H", flatbuffer, table._vtable + 4, 0x7FF0)
    with pytest.raises(ModelError, match=rf"has a table of {size} bytes with a field at byte 32752: it is damaged"):
        expect_sound(bytes(flatbuffer))


def test_a_text_without_an_end(flatbuffer: bytearray) -> None:
    start, count = tensor(Table.root(bytes(flatbuffer)))._vector(3, 1)
    flatbuffer[start + count] = 7
    with pytest.raises(ModelError, match=rf"has a text at byte {start} without an end"):
        expect_sound(bytes(flatbuffer))


def built(change: Callable[[object], object]) -> bytes:
    """The toy with its tree changed by ``change``, written by the schema's own code."""
    flatbuffers = pytest.importorskip("flatbuffers")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    toy = Path(__file__).parents[1] / "toys" / "uint8.tflite"
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(toy.read_bytes(), 0))
    change(model)
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def make(kind: str, **fields: object) -> object:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    made = getattr(schema, kind)()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def set_buffer_offset(model: object) -> None:
    model.buffers[1].offset, model.buffers[1].size = 10**6, 4  # type: ignore[attr-defined]


def set_custom_offset(model: object) -> None:
    operator = model.subgraphs[0].operators[0]  # type: ignore[attr-defined]
    operator.largeCustomOptionsOffset, operator.largeCustomOptionsSize = 10**6, 4


def set_sparsity(model: object) -> None:
    model.subgraphs[0].tensors[2].sparsity = make("SparsityParametersT", traversalOrder=[0, 1])  # type: ignore[attr-defined]


def set_metadata(model: object) -> None:
    model.metadata = [make("MetadataT", name=b"min_runtime_version", buffer=999)]  # type: ignore[attr-defined]


def set_metadata_buffer(model: object) -> None:
    model.metadataBuffer = [999]  # type: ignore[attr-defined]


def set_signature(model: object) -> None:
    model.signatureDefs = [make("SignatureDefT", signatureKey=b"serve", subgraphIndex=7, inputs=[], outputs=[])]  # type: ignore[attr-defined]


def set_signature_tensor(model: object) -> None:
    lead = make("TensorMapT", name=b"x", tensorIndex=500)
    model.signatureDefs = [make("SignatureDefT", signatureKey=b"s", subgraphIndex=0, inputs=[lead], outputs=[])]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_buffer_offset, r"keeps its buffer 1000000 bytes into the file, outside of itself"),
        (set_custom_offset, r"keeps its custom options 1000000 bytes into the file"),
        (set_sparsity, r"has tensors in TFLite's sparse form.* Convert the model without sparsity"),
        (set_metadata, r"names buffer 999 of \d+"),
        (set_metadata_buffer, r"names buffer 999 of \d+"),
        (set_signature, r"names subgraph 7 of 1"),
        (set_signature_tensor, r"names tensor 500 of \d+"),
    ],
)
def test_what_leads_elsewhere_by_number(change: Callable[[object], object], message: str) -> None:
    expect_sound(built(lambda model: None))
    with pytest.raises(ModelError, match=message):
        expect_sound(built(change))


def test_a_vector_in_the_options_of_an_operator_that_has_no_end() -> None:
    def reshape(model: object) -> None:
        operator = model.subgraphs[0].operators[0]  # type: ignore[attr-defined]
        operator.builtinOptionsType, operator.builtinOptions = 17, make("ReshapeOptionsT", newShape=[1, 2, 77_777])

    content = bytearray(built(reshape))
    expect_sound(bytes(content))
    place = content.index(struct.pack("<4i", 3, 1, 2, 77_777))
    struct.pack_into("<I", content, place, 2**30)
    with pytest.raises(ModelError, match=rf"has a vector of {2**30} items beyond its"):
        expect_sound(bytes(content))
