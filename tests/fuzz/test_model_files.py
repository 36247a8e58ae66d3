"""Whatever a model file holds, it is read or refused in words."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest
from hypothesis import given

pytest.importorskip("cryptography", reason="the corpus has a signed file")

from edge_runtime.contract import contract_from_json, region_from_json, spec_from_json, to_json
from edge_runtime.errors import ModelError
from edge_runtime.model.appended_zip import split_zip, write_zip
from edge_runtime.model.attached_files import read_attached
from edge_runtime.model.model_file import ModelFile, read_model
from edge_runtime.model.npy import array_from_npy, array_to_npy
from edge_runtime.model.signatures import split_signature
from edge_runtime.model.soundness import expect_sound
from edge_runtime.model.stated_input import StatedInput
from edge_runtime.model.tflite_metadata import describe
from tests.fuzz import corpus
from tests.fuzz.claim import fuzzed, parsed
from tests.fuzz.mutations import spoiled, spoiled_json

FLATBUFFERS = [each.split(b"PK\x03\x04")[0] for each in corpus.model_files()]
ARRAYS = [array_to_npy(corpus.goldens().images[0]), array_to_npy(corpus.goldens().outputs)]


def test_the_corpus_is_sound() -> None:
    """Else every example would be refused at the door."""
    assert contract_from_json(corpus.contract_texts()[0].decode()) == corpus.contract()
    assert opened_goldens(corpus.goldens_files()[0]) is not None
    for content in corpus.model_files():
        stated = StatedInput.parse("-1..1") if content == (corpus.TOYS / "float32.tflite").read_bytes() else None
        assert read_model(content, "toy", None if b"labels.txt" in content else corpus.LABELS, stated=stated).contract
    assert split_signature(corpus.model_files()[-1], "toy")[1] is not None


def opened_goldens(content: bytes) -> object:
    return ModelFile(None, b"", corpus.contract(), content, ()).goldens


@fuzzed(60)
@given(spoiled(corpus.model_files()))
def test_a_whole_file(content: bytes) -> None:
    for label_text, stated in ((None, None), (corpus.LABELS, StatedInput.parse("-1..1"))):
        model = parsed(partial(read_model, stated=stated), content, "toy", label_text)
        assert model is None or to_json(model.contract)


@fuzzed(80)
@given(spoiled(FLATBUFFERS))
def test_a_flatbuffer(content: bytes) -> None:
    parsed(expect_sound, content)
    parsed(describe, content, "toy")


@fuzzed(40)
@given(spoiled(corpus.model_files()))
def test_what_stands_behind_a_flatbuffer(content: bytes) -> None:
    parsed(split_zip, content, "toy")
    parsed(split_signature, content, "toy")
    for label_file in ("", "labels.txt"):
        parsed(read_attached, content, label_file, "toy")


@fuzzed(100)
@given(spoiled_json(corpus.contract_texts()))
def test_a_contract(content: bytes) -> None:
    text = content.decode("utf-8", "replace")
    contract = parsed(contract_from_json, text)
    if contract is not None:
        assert dataclasses.asdict(contract)
    parsed(spec_from_json, text)
    parsed(region_from_json, text)


@fuzzed(60)
@given(spoiled(corpus.goldens_files()))
def test_goldens(content: bytes) -> None:
    parsed(opened_goldens, content)


@fuzzed(60)
@given(spoiled(ARRAYS))
def test_an_array(content: bytes) -> None:
    parsed(array_from_npy, "array.npy", content)


@fuzzed(60)
@given(spoiled(ARRAYS), spoiled(ARRAYS))
def test_goldens_in_a_sound_zip(first: bytes, second: bytes) -> None:
    """Behind right checksums, where the bytes of one array are those of another or of none."""
    _, members = split_zip(corpus.goldens_files()[0], "golden.npz")
    for name in members:
        parsed(opened_goldens, write_zip({**members, name: first, "picture_00.npy": second}))


def test_the_claim_lets_only_own_errors_pass() -> None:
    def refuse(error: Exception) -> None:
        raise error

    assert parsed(refuse, ModelError("It is damaged.")) is None
    with pytest.raises(RecursionError):
        parsed(refuse, RecursionError())
    with pytest.raises(AssertionError, match="says nothing"):
        parsed(refuse, ModelError(""))
