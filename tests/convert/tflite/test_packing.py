"""Packing must change nothing but the size: on models made by others, on ours, and with what is appended to them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from convert.pack import main, pack_file
from convert.tflite import schema
from convert.tflite.packing import compare_outputs, find_differences, open_interpreters, pack, shorten_name
from edge_runtime.errors import ModelError

MODELS = Path(__file__).parents[4] / "shared" / "data" / "models"
needs_models = pytest.mark.skipif(not MODELS.is_dir(), reason="the yardstick models are not beside this checkout")


def spoiled(flatbuffer: bytes, change) -> bytes:
    tree = schema.read_tree(flatbuffer)
    change(tree)
    return schema.write_tree(tree)


def weights(tree):
    """The buffer of the first convolution's weights."""
    tensor = next(t for t in tree.subgraphs[0].tensors if len(t.shape) == 4 and tree.buffers[t.buffer].data is not None)
    return tree.buffers[tensor.buffer]


def data_offsets(flatbuffer: bytes) -> list[int]:
    from ai_edge_litert import schema_py_generated as generated

    model = generated.Model.GetRootAs(flatbuffer)
    found = []
    for index in range(model.BuffersLength()):
        table = model.Buffers(index)._tab
        field = table.Offset(4)
        if field:
            found.append(table.Vector(field))
    return found


@needs_models
@pytest.mark.parametrize(
    ("name", "least_saved"),
    [
        ("pretrainedResnet_quant", 0.08),
        ("pretrainedResnet_large_int8", 0.02),
        ("pretrainedResnet", 0.002),
        pytest.param("mobilenet_v2_1.0_224_quant", 0.001, marks=pytest.mark.slow),
        pytest.param("tf2_mobilenet_v2_1.0_224_ptq", 0.06, marks=pytest.mark.slow),
    ],
)
def test_models_of_others_get_smaller_and_give_the_same_bytes_on_every_interpreter(
    name: str, least_saved: float
) -> None:
    content = (MODELS / f"{name}.tflite").read_bytes()
    packed, report = pack_file(content, name)
    assert report.saved >= least_saved and report.backends
    assert report.bytes_before - report.bytes_after == len(content) - len(packed)
    if zipfile.is_zipfile(io.BytesIO(content)):
        before, after = zipfile.ZipFile(io.BytesIO(content)), zipfile.ZipFile(io.BytesIO(packed))
        assert [(n, before.read(n)) for n in before.namelist()] == [(n, after.read(n)) for n in after.namelist()]


def test_weights_start_at_multiples_of_sixteen_bytes(toy: bytes) -> None:
    offsets = data_offsets(pack(toy))
    assert len(offsets) > 3 and all(offset % 16 == 0 for offset in offsets)


def test_packing_twice_changes_nothing_more(toy: bytes) -> None:
    packed = pack(toy)
    assert len(packed) < len(toy) and pack(packed) == packed


def test_one_changed_weight_is_reported_as_a_difference(toy: bytes) -> None:
    def flip(tree) -> None:
        buffer = weights(tree)
        buffer.data = np.array(buffer.data) ^ 1

    assert any("tensor" in text for text in find_differences(toy, spoiled(toy, flip)))


@pytest.mark.parametrize("field", ["scale", "zeroPoint"])
def test_one_changed_quantisation_is_reported_as_a_difference(toy: bytes, field: str) -> None:
    def change(tree) -> None:
        quantization = tree.subgraphs[0].tensors[tree.subgraphs[0].inputs[0]].quantization
        setattr(quantization, field, getattr(quantization, field) + 1)

    assert find_differences(toy, spoiled(toy, change))


def test_a_changed_operator_option_is_reported_as_a_difference(toy: bytes) -> None:
    def change(tree) -> None:
        convolution = next(op for op in tree.subgraphs[0].operators if hasattr(op.builtinOptions, "strideH"))
        convolution.builtinOptions.strideH += 1

    assert any("operator" in text for text in find_differences(toy, spoiled(toy, change)))


def test_renaming_a_tensor_is_a_difference_only_where_names_count(toy: bytes) -> None:
    renamed = pack(toy, shorten_name)
    assert find_differences(toy, renamed) and not find_differences(toy, renamed, names=False)


def test_another_models_outputs_are_told_apart(toy: bytes) -> None:
    def negate(tree) -> None:
        buffer = weights(tree)
        buffer.data = 255 - np.array(buffer.data)

    original = open_interpreters(toy)
    assert compare_outputs(original, open_interpreters(spoiled(toy, negate))) == tuple(original)
    assert compare_outputs(original, open_interpreters(pack(toy))) == ()


def test_a_packer_that_loses_something_is_stopped(toy: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def lossy(tensor) -> None:
        tensor.quantization = None

    monkeypatch.setattr("convert.tflite.packing._drop_unread", lossy)
    with pytest.raises(ModelError, match="Packing would change the model"):
        pack(toy)


@pytest.mark.parametrize(
    ("name", "short"),
    [("net/conv/Relu;net/conv/Conv2D", "conv"), ("conv/kernel", "conv"), ("image", "image"), ("a/b/c/d", "c")],
)
def test_short_names_are_the_layers(name: str, short: str) -> None:
    assert shorten_name(name) == short


def test_the_command_writes_once_and_reports_sizes(
    toy: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in.tflite", tmp_path / "out.tflite"
    source.write_bytes(toy)
    assert main([str(source), str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["bytes_before"] == len(toy) and result["bytes_after"] == out.stat().st_size
    assert main([str(source), str(out)]) == 2
    assert "is not overwritten unasked" in capsys.readouterr().err
    assert main([str(source), str(out), "--force"]) == 0
    assert "smaller" in capsys.readouterr().out


def test_the_command_names_what_it_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.tflite"), str(tmp_path / "o.tflite")]) == 66
    assert "There is no model" in capsys.readouterr().err
    (tmp_path / "bad.tflite").write_bytes(b"no model at all")
    assert main([str(tmp_path / "bad.tflite"), str(tmp_path / "o.tflite")]) == 65
    assert "is not a TFLite file" in capsys.readouterr().err


def test_a_cut_flatbuffer_is_refused(toy: bytes) -> None:
    with pytest.raises(ModelError, match="is damaged"):
        pack(toy[: len(toy) // 2])


def test_an_unreadable_attached_zip_is_refused(toy: bytes) -> None:
    stream = io.BytesIO(toy)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("labels.txt", "a\nb\nc\n")
    content = bytearray(stream.getvalue())
    content[content.index(b"PK\x03\x04")] ^= 0xFF
    with pytest.raises(ModelError, match="has a zip at its end that cannot be read"):
        pack_file(bytes(content), "broken")
