"""Models without a contract: what is read from them, what is assumed in words, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.contract import Normalization
from edge_runtime.errors import ModelError
from edge_runtime.inference.interpreter import Interpreter, list_available_backends
from edge_runtime.model.model_file import read_model
from edge_runtime.model.tflite_metadata import describe

LABEL_TEXT = "red\ngreen\nblue\n"
TOYS = Path(__file__).parent.parent / "toys"


def test_metadata_gives_labels_and_normalisation(toy_bytes):
    model = read_model(toy_bytes("uint8_metadata"), "colours.tflite")
    assert model.contract.spec.labels == ("red", "green", "blue")
    assert model.contract.spec.name == "colours"
    assert model.contract.normalization == Normalization((127.0,), (128.0,))
    assert not any("normalisation" in sentence for sentence in model.assumptions)
    assert any("no contract" in sentence for sentence in model.assumptions)


@pytest.mark.parametrize(
    ("toy", "sentence", "normalization"),
    [
        ("uint8", "raw pixel bytes go in: by scale 0.0078125 and zero point 127", Normalization((127.0,), (128.0,))),
        ("int8", "raw pixels - 128 go in: by scale 0.0078125 and zero point -1", Normalization((127.0,), (128.0,))),
        ("int8_logits", "the outputs are taken as logits and a softmax", Normalization((127.0,), (128.0,))),
    ],
)
def test_what_is_assumed_is_said(toy, sentence, normalization, toy_bytes):
    model = read_model(toy_bytes(toy), "toy", LABEL_TEXT)
    assert any(sentence in line for line in model.assumptions)
    assert model.contract.normalization == normalization
    assert model.contract.spec.output == ("logits" if toy == "int8_logits" else "probabilities")
    assert model.goldens is None


def test_without_any_labels_the_error_says_the_way_out(toy_bytes):
    with pytest.raises(
        ModelError,
        match=r"neither a contract nor TFLite Metadata with labels, so its 3 outputs .* one label per line as `labels`",
    ):
        read_model(toy_bytes("uint8"), "toy")


def test_a_label_file_of_another_length_names_both_sides(toy_bytes):
    with pytest.raises(ModelError, match=r"has 3 outputs but there are 4 labels.*first row for the background class"):
        read_model(toy_bytes("uint8"), "toy", "nothing\n" + LABEL_TEXT)


def test_numbered_and_repeated_labels_are_taken_with_a_word(toy_bytes):
    model = read_model(toy_bytes("uint8"), "toy", "0  crane\r\n1  crane\r\n2  bird\r\n\r\n")
    assert model.contract.spec.labels == ("crane (class 0)", "crane (class 1)", "bird")
    assert any("begin with their own number" in line for line in model.assumptions)
    assert any("occur more than once" in line for line in model.assumptions)


@pytest.mark.parametrize("label_text", [None, LABEL_TEXT])
@pytest.mark.parametrize("lost", [1, 30, 100])
def test_a_file_whose_label_zip_was_cut_is_refused_even_with_labels(toy_bytes, lost, label_text):
    with pytest.raises(
        ModelError, match=r"'labels.txt' in a zip at its end, which cannot be read .* cut short or damaged"
    ):
        read_model(toy_bytes("uint8_metadata")[:-lost], "toy", label_text)


def test_something_else_is_no_tflite_file():
    with pytest.raises(ModelError, match="toy is not a TFLite file: bytes 4 to 7 are b'CDEF'"):
        read_model(b"....CDEF........", "toy")


def test_every_bit_flip_and_truncation_is_described_or_refused_without_a_crash(toy_bytes):
    whole = toy_bytes("uint8_metadata")
    num_refused = 0
    for position in range(0, len(whole), 2):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        for content in (bytes(damaged), whole[:position]):
            try:
                describe(content, "toy")
            except ModelError:
                num_refused += 1
    assert num_refused > 1000


def test_tensors_are_described_as_the_interpreter_sees_them(toy_bytes):
    for toy in ("uint8", "int8", "float32", "int8_logits", "uint8_metadata"):
        description, interpreter = describe(toy_bytes(toy), toy), Interpreter(toy_bytes(toy))
        assert (description.input_tensor, description.output_tensor) == (interpreter.input, interpreter.output)
        assert description.probabilities == (toy != "int8_logits")
        assert np.dtype(description.input_tensor.dtype) == interpreter.input.dtype


CHILD = """
import sys
from edge_runtime.inference.classifier import Classifier
from edge_runtime.errors import ModelError
from edge_runtime.model.model_file import read_model
from edge_runtime.model.stated_input import StatedInput
stated = StatedInput.parse(normalize="0..1")
content, backend, refused, lengths = open(sys.argv[1], "rb").read(), sys.argv[2], 0, range(0, int(sys.argv[3]), 4)
for length in lengths:
    try:
        Classifier(read_model(content[:length], "toy", "red\\ngreen\\nblue\\n", stated=stated), backend=backend)
    except ModelError:
        refused += 1
print(len(lengths) - refused)
"""


@pytest.mark.parametrize("backend", list_available_backends())
@pytest.mark.parametrize("toy", ["uint8", "int8", "float32", "int8_logits"])
def test_no_truncated_foreign_model_loads_or_crashes_the_process(toy, backend):
    path = TOYS / f"{toy}.tflite"
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), backend, str(path.stat().st_size)],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert (child.returncode, child.stdout) == (0, "0\n"), child.stderr[-500:]
