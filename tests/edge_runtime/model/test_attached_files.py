"""What other converters put behind a flatbuffer: Ultralytics' notes in both forms, and what is not ours to read."""

from __future__ import annotations

import json

import pytest

from edge_runtime.contract import Normalization
from edge_runtime.errors import EdgeRuntimeError, ModelError
from edge_runtime.model.model_file import read_model
from edge_runtime.model.stated_input import StatedInput
from tests.edge_runtime.toy_graphs import MUL, SOFTMAX, SUB, Graph, attach, colours

LABELS = "red\ngreen\nblue\n"
NOTES = {"description": "a model", "task": "classify", "imgsz": [8, 8], "names": {0: "red", 1: "green", 2: "blue"}}


@pytest.mark.parametrize(
    ("member", "text"),
    [("metadata.json", json.dumps(NOTES)), ("temp_meta.txt", str(NOTES)), ("meta.txt", str({**NOTES, "imgsz": 8}))],
)
def test_an_ultralytics_file_needs_no_flags(member, text):
    model = read_model(attach(colours(), member, text), "toy")
    assert model.contract.spec.labels == ("red", "green", "blue")
    assert model.contract.normalization == Normalization((0.0,), (255.0,))
    assert model.contract.spec.input.resize == "crop"
    assert any("Ultralytics" in line for line in model.assumptions)


def test_its_size_is_taken_where_the_graph_leaves_it_open():
    content = attach(colours((1, 1, 1, 3), (-1, -1, -1, 3)), "metadata.json", json.dumps({**NOTES, "imgsz": [4, 6]}))
    assert read_model(content, "toy").contract.input_tensor.shape == (1, 4, 6, 3)


def test_a_label_file_beats_its_names():
    content = attach(colours(), "metadata.json", json.dumps(NOTES))
    assert read_model(content, "toy", "r\ng\nb\n").contract.spec.labels == ("r", "g", "b")


def test_one_that_detects_is_named():
    content = attach(colours(), "metadata.json", json.dumps({**NOTES, "task": "detect"}))
    with pytest.raises(ModelError, match=r"toy is an Ultralytics model for the task 'detect', expected 'classify'"):
        read_model(content, "toy")


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1}', "__import__('os').getcwd()"])
def test_a_file_of_that_name_with_something_else_is_not_read(text):
    with pytest.raises(ModelError, match="its 3 outputs have no names"):
        read_model(attach(colours(), "metadata.json", text), "toy")


def test_a_damaged_file_is_read_or_refused_whatever_byte_is_wrong():
    graph = Graph((1, 8, 8, 3)).rescale(MUL, 1 / 127.5).rescale(SUB, 1.0).mean(1, 2).end(SOFTMAX)
    whole = attach(graph, "metadata.json", json.dumps(NOTES))
    num_refused = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        for content in (bytes(damaged), whole[:position]):
            try:
                read_model(content, "toy", LABELS)
            except EdgeRuntimeError:
                num_refused += 1
    assert num_refused > len(whole)


def test_notes_without_end_are_no_notes():
    with pytest.raises(ModelError, match="its 3 outputs have no names"):
        read_model(attach(colours(), "metadata.json", "[" * 100_000), "toy")


@pytest.mark.parametrize(
    "member", ["labels.txt", "assets/labels.txt", "label_list.txt", "imagenet_labels.txt", "classes.json"]
)
def test_a_label_list_that_no_metadata_names_is_read_and_said(member):
    content = attach(colours(), member, '["red", "green", "blue"]' if member.endswith("json") else "red\ngreen\nblue\n")
    model = read_model(content, "toy", stated=StatedInput.parse(normalize="0..1"))
    assert model.contract.spec.labels == ("red", "green", "blue")
    assert any("which no metadata names" in line for line in model.assumptions)


def test_a_zip_with_other_files_gives_no_labels():
    with pytest.raises(ModelError, match="has neither a contract nor TFLite Metadata with labels"):
        read_model(
            attach(colours(), "notes.txt", "red\ngreen\nblue"), "toy", stated=StatedInput.parse(normalize="0..1")
        )
