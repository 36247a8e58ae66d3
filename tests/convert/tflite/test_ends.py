"""Input and output tensor, read from the flatbuffer, are what an interpreter says they are."""

from __future__ import annotations

import numpy as np
import pytest

from convert.tflite import schema
from convert.tflite.ends import read_ends, set_input_scale
from edge_runtime.contract import TensorSpec
from edge_runtime.errors import ModelError
from edge_runtime.inference.interpreter import Interpreter
from tests.convert.conftest import TOYS


@pytest.mark.parametrize("name", ["uint8", "int8", "float32"])
def test_the_ends_are_those_of_an_interpreter(name: str) -> None:
    content = (TOYS / f"{name}.tflite").read_bytes()
    interpreter = Interpreter(content)
    assert read_ends(schema.read_tree(content)) == (interpreter.input, interpreter.output)


def test_an_end_is_written_out(toy: bytes) -> None:
    first, last = read_ends(schema.read_tree(toy))
    assert first == TensorSpec((1, 8, 8, 3), "uint8", first.scale, first.zero_point) and first.scale > 0
    assert (last.dtype, last.scale, last.zero_point) == ("uint8", 1 / 256, 0)


def test_a_model_of_two_inputs_is_refused(toy: bytes) -> None:
    tree = schema.read_tree(toy)
    tree.subgraphs[0].inputs = np.array([0, 1], np.int32)
    with pytest.raises(ModelError, match="has 2 inputs and 1 outputs, expected 1 of each"):
        read_ends(tree)


def test_an_input_that_more_than_a_requantisation_reads_keeps_its_scale(toy: bytes) -> None:
    tree = schema.read_tree(toy)
    for operator in tree.subgraphs[0].operators:
        operator.inputs = operator.inputs[1:]
    with pytest.raises(ModelError, match="is read by nothing, expected a single QUANTIZE"):
        set_input_scale(schema.write_tree(tree), "uint8", 0.0, 1.0)


@pytest.mark.parametrize(("dtype", "zero_point"), [("uint8", 120), ("int8", -8)])
def test_an_input_before_a_requantisation_gets_the_scale_of_pixels(toy: bytes, dtype: str, zero_point: int) -> None:
    content = set_input_scale(toy, dtype, 120.0, 50.0)
    first = Interpreter(content).input
    assert (first.dtype, first.zero_point) == (dtype, zero_point) and first.scale == pytest.approx(1 / 50)
