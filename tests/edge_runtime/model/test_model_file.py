"""A model file is whole or it is refused, whatever was done to it; and the writer is the reader's mirror."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import random
import zipfile

import numpy as np
import pytest

from edge_runtime.contract import to_json
from edge_runtime.errors import MissingInputError, ModelError, UsageError
from edge_runtime.model import model_file
from edge_runtime.model.appended_zip import split_zip, write_zip
from edge_runtime.model.model_file import open_model, read_model, write_model

LABEL_TEXT = "red\ngreen\nblue\n"


def repack(whole: bytes, **changed: bytes | None) -> bytes:
    """The file with members replaced (or left out, when None) and the zip around them intact."""
    flatbuffer, members = split_zip(whole, "whole")
    renamed = {key.replace("_", "."): value for key, value in changed.items()}
    kept = {name: renamed.get(name, content) for name, content in members.items()}
    kept = {name: content for name, content in {**kept, **renamed}.items() if content is not None}
    return flatbuffer + write_zip(kept, len(flatbuffer))


def contract_with(whole: bytes, **changes: object) -> bytes:
    return to_json(dataclasses.replace(read_model(whole, "toy").contract, **changes)).encode()


def test_what_was_written_is_read_back(toy_file, toy_goldens, toy_bytes, tmp_path):
    path = tmp_path / "toy.tflite"
    path.write_bytes(toy_file)
    model = open_model(path)
    assert model.path == path
    assert model.flatbuffer == toy_bytes("uint8_metadata")[: len(model.flatbuffer)]
    assert model.contract.spec.labels == ("red", "green", "blue")
    assert sorted(model.contract.parts) == ["golden.npz", "labels.txt", "model"]
    assert model.assumptions == ()
    for name in ("repeats", "input_digests", "outputs", "reference_outputs"):
        assert (getattr(model.goldens, name) == getattr(toy_goldens, name)).all()
    assert all((a == b).all() for a, b in zip(model.goldens.frames, toy_goldens.frames, strict=True))
    assert model.goldens.kernels == toy_goldens.kernels


def test_writing_twice_gives_the_same_bytes(toy_file, toy_goldens):
    model = read_model(toy_file, "toy")
    assert write_model(model.flatbuffer, model.contract, toy_goldens) == toy_file


def test_the_standard_library_reads_the_parts(toy_file):
    with zipfile.ZipFile(io.BytesIO(toy_file)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["labels.txt", "golden.npz", "contract.json"]
        assert archive.read("labels.txt").decode() == LABEL_TEXT
        with np.load(io.BytesIO(archive.read("golden.npz"))) as arrays:
            assert {"picture_00", "repeats", "input_digests", "outputs", "reference_outputs", "kernels"} <= set(
                arrays.files
            )


def test_goldens_may_be_left_out(toy_file):
    model = read_model(toy_file, "toy")
    plain = read_model(write_model(model.flatbuffer, model.contract, None), "toy")
    assert plain.goldens is None
    assert sorted(plain.contract.parts) == ["labels.txt", "model"]


@pytest.mark.parametrize("label_text", [None, LABEL_TEXT])
def test_of_1000_bit_flips_none_is_accepted(toy_file, label_text):
    chance, accepted = random.Random(1), []
    for _ in range(1000):
        position, bit = chance.randrange(len(toy_file)), chance.randrange(8)
        damaged = bytearray(toy_file)
        damaged[position] ^= 1 << bit
        try:
            read_model(bytes(damaged), "toy", label_text)
        except (ModelError, UsageError):
            continue
        accepted.append((position, bit))
    assert accepted == []


@pytest.mark.parametrize("label_text", [None, LABEL_TEXT])
def test_of_1000_truncations_none_loads(toy_file, label_text):
    chance, accepted = random.Random(2), []
    for length in {0, 4, 8, *(chance.randrange(len(toy_file)) for _ in range(1000))}:
        try:
            read_model(toy_file[:length], "toy", label_text)
        except (ModelError, UsageError):
            continue
        accepted.append(length)
    assert accepted == []


@pytest.mark.parametrize("extra", [b"\0", b"PK\x05\x06" + bytes(18), b"x" * 100])
def test_bytes_after_the_zip_are_refused(toy_file, extra):
    with pytest.raises(ModelError, match="damaged: the parts appended to its model are not as they were written"):
        read_model(toy_file + extra, "toy")


def test_a_changed_part_is_named_with_both_hashes(toy_file):
    with pytest.raises(ModelError, match=r"part 'golden.npz' has SHA-256 [0-9a-f]{64}, its contract says [0-9a-f]{64}"):
        read_model(repack(toy_file, golden_npz=b"other"), "toy")


def test_a_changed_flatbuffer_is_named(toy_file):
    flatbuffer, members = split_zip(toy_file, "toy")
    with pytest.raises(ModelError, match="its part 'model' has SHA-256"):
        read_model(b"\0" + flatbuffer[1:] + write_zip(members, len(flatbuffer)), "toy")


def test_extra_and_missing_members_are_refused(toy_file):
    with pytest.raises(
        ModelError, match=r"has the parts \['labels.txt', 'golden.npz', 'contract.json', 'evil.sh'\], expected"
    ):
        read_model(repack(toy_file, evil_sh=b""), "toy")
    with pytest.raises(ModelError, match=r"has the parts \['labels.txt', 'model'\] but its contract lists"):
        read_model(repack(toy_file, golden_npz=None), "toy")


def test_labels_that_differ_from_the_contract_are_refused(toy_file):
    parts = read_model(toy_file, "toy").contract.parts
    other = b"red\nblue\ngreen\n"
    parts = {**parts, "labels.txt": hashlib.sha256(other).hexdigest()}
    damaged = repack(toy_file, labels_txt=other, contract_json=contract_with(toy_file, parts=parts))
    with pytest.raises(ModelError, match=r"labels.txt and the contract's labels .* differ"):
        read_model(damaged, "toy")


def test_a_contract_in_another_form_is_refused(toy_file):
    text = contract_with(toy_file)
    with pytest.raises(ModelError, match=r"contract.json is not in the form that convert writes"):
        read_model(repack(toy_file, contract_json=text.replace(b"\n  ", b"\n ", 1)), "toy")


@pytest.mark.parametrize("text", [b"\xff", b'{"a": ' + b"[" * 100_000, b"labels"])
def test_a_contract_that_is_no_json_is_refused(toy_file, text):
    with pytest.raises(ModelError, match=r"contract\.json (cannot be read|is not JSON)"):
        read_model(repack(toy_file, contract_json=text), "toy")


def test_a_contract_with_a_number_beyond_floats_is_refused(toy_file):
    text = contract_with(toy_file).replace(b'"threshold": 0.0', b'"threshold": 1' + b"0" * 400)
    with pytest.raises(ModelError, match="whole number with over 300 digits where a number belongs"):
        read_model(repack(toy_file, contract_json=text), "toy")


def test_goldens_that_contradict_the_contract_are_refused(toy_file, toy_goldens):
    model = read_model(toy_file, "toy")
    for changes, message in (
        ({"outputs": toy_goldens.outputs.astype(np.int8)}, r"outputs is \(\d+, 3\) int8, expected \(\d+, 3\) uint8"),
        ({"input_digests": toy_goldens.input_digests[:, :4]}, r"input_digests is \(3, 4\) uint8, expected \(3, 32\)"),
        ({"images": ()}, r"repeats is \(3,\) uint8, expected \(0,\)"),
        (
            {"images": tuple(image[..., 0] for image in toy_goldens.images)},
            r"3 images, expected at least 1, each \(h, w, 3\)",
        ),
        ({"repeats": np.array([1, 0, 1], np.uint8)}, r"sides of up to 17 pixels, expected 1 to 4096"),
        ({"repeats": np.array([1, 1, 255], np.uint8)}, r"sides of up to 4335 pixels, expected 1 to 4096"),
    ):
        with pytest.raises(ModelError, match=message):
            write_model(model.flatbuffer, model.contract, dataclasses.replace(toy_goldens, **changes))


def test_a_label_file_for_a_model_with_a_contract_is_refused(toy_file):
    with pytest.raises(UsageError, match="toy carries its own labels in its contract; leave out `labels`"):
        read_model(toy_file, "toy", LABEL_TEXT)


def test_missing_and_unreadable_files_are_told_apart(tmp_path, toy_file):
    with pytest.raises(MissingInputError, match=r"There is no model .*none\.tflite; check the path"):
        open_model(tmp_path / "none.tflite")
    with pytest.raises(ModelError, match=r"cannot be read .*; expected a readable file"):
        open_model(tmp_path)
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match=r"label file .*labels\.txt is not UTF-8 text"):
        open_model(tmp_path / "toy.tflite", tmp_path / "labels.txt")


def test_a_file_beyond_the_limit_is_not_read(tmp_path, toy_file, monkeypatch):
    monkeypatch.setattr(model_file, "MAX_MODEL_BYTES", 100)
    (tmp_path / "toy.tflite").write_bytes(toy_file)
    with pytest.raises(ModelError, match="has more than 100 bytes, the most that is read"):
        open_model(tmp_path / "toy.tflite")
