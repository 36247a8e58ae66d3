"""Graphs as others make them: what the scores mean, which shapes run, and what no interpreter here can run."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from edge_runtime.errors import ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import _one_line, list_available_backends
from edge_runtime.model.inner_tensors import find_features
from edge_runtime.model.model_file import read_model
from edge_runtime.model.operators import explain_refusal
from edge_runtime.model.stated_input import StatedInput
from edge_runtime.model.tflite_metadata import describe

flatbuffers = pytest.importorskip("flatbuffers")
schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
RAW = StatedInput.parse(normalize="0..255")
LABELS = "red\ngreen\nblue\n"
RESHAPE, MEAN, AVERAGE_POOL_2D = 22, 40, 1


@pytest.fixture
def edited(toy_bytes):
    """edited(toy, change) -> the flatbuffer after ``change(model)``."""

    def edit(toy, change):
        model = schema.ModelT.InitFromPackedBuf(toy_bytes(toy), 0)
        change(model)
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    return edit


def reshape_output(shape):
    def change(model):
        graph = model.subgraphs[0]
        tensor, operator = copy.copy(graph.tensors[graph.outputs[0]]), schema.OperatorT()
        tensor.name, tensor.shape, tensor.shapeSignature, tensor.buffer = b"flat", list(shape), None, 0
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = RESHAPE
        code.version = 1
        operator.opcodeIndex, operator.inputs = len(model.operatorCodes), [graph.outputs[0]]
        operator.outputs = [len(graph.tensors)]
        operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
        operator.builtinOptions = schema.ReshapeOptionsT()
        operator.builtinOptions.newShape = list(shape)
        model.operatorCodes.append(code)
        graph.tensors.append(tensor)
        graph.operators.append(operator)
        graph.outputs = list(operator.outputs)

    return change


@pytest.mark.parametrize("backend", list_available_backends())
@pytest.mark.parametrize("shape", [(3,), (1, 3), (1, 1, 1, 3), (1, 3, 1, 1)])
@pytest.mark.parametrize("toy", ["float32", "uint8"])
def test_scores_behind_a_reshape_are_the_same_probabilities(toy, shape, backend, edited, toy_bytes):
    frame = np.zeros((8, 8, 3), np.uint8) + np.array([10, 60, 200], np.uint8)
    plain = Classifier(read_model(toy_bytes(toy), "toy", LABELS, stated=RAW), backend=backend).probabilities(frame)
    model = read_model(edited(toy, reshape_output(shape)), "toy", LABELS, stated=RAW)
    assert model.contract.spec.output == "probabilities"
    assert Classifier(model, backend=backend).probabilities(frame).tolist() == plain.tolist()


def rename_first_operator(name):
    def change(model):
        model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = 32
        model.operatorCodes[0].customCode = name

    return change


@pytest.mark.parametrize(
    ("operator", "told"),
    [
        ("edgetpu-custom-op", "compiled for the Edge TPU. Give the file from before edgetpu_compiler"),
        ("FlexErf", r"needs TensorFlow itself for 'FlexErf' .* with TFLITE_BUILTINS alone"),
        ("TFLite_Detection_PostProcess", r"detects objects .* expected one score per class"),
        ("Own", "its custom operator 'Own' is not in this interpreter"),
    ],
)
def test_an_operator_that_nobody_here_runs_is_named_with_its_remedy(operator, told, edited):
    with pytest.raises(ModelError, match=f"toy cannot run here: .*{told}"):
        read_model(edited("uint8", rename_first_operator(operator)), "toy", LABELS)


def set_version(model):
    model.version = 4


def test_a_newer_schema_is_named(edited):
    with pytest.raises(ModelError, match="toy has TFLite schema version 4, expected 3"):
        describe(edited("uint8", set_version), "toy")


@pytest.mark.parametrize(
    ("which", "shape", "told"),
    [
        ("inputs", [8, 8, 8, 3], r"it takes 8 images at once; .* batch size of 1"),
        ("inputs", [1, 8, 8, 4], "it takes 4 channels, expected 3 for colours or 1 for grey"),
        ("inputs", [1, 65], "it takes a row of 65 numbers, such as sound or a flattened image"),
        ("inputs", [1, 784], "a flattened image of 28x28"),
        ("inputs", [1, 3072], "a flattened image of 32x32"),
        ("inputs", [1, 16, 8, 8, 3], "several frames of a video, or a volume, at once"),
        ("inputs", [1, 4, 8, 8], r"it takes 8 channels \(or 4, if they come first\), expected 3"),
        ("outputs", [1, 7, 7, 3], "but each of 7x7 places; if its pooling was left out, convert it again with it"),
        ("outputs", [1, 2100, 85], "finds objects or points in them, or reads a sequence"),
        ("inputs", [8, 8, 3], "it has no axis for the batch"),
        ("inputs", [64], "it does not classify images"),
        ("outputs", [1, 4, 3], r"gives \(1, 4, 3\), expected \(1, classes\)"),
    ],
)
def test_another_shape_is_named_for_what_it_is(which, shape, told, edited):
    def change(model):
        graph = model.subgraphs[0]
        graph.tensors[getattr(graph, which)[0]].shape = shape

    with pytest.raises(ModelError, match=told):
        describe(edited("uint8", change), "toy")


@pytest.mark.parametrize(
    ("which", "dtype", "told"),
    [
        ("outputs", 4, r"gives int64 numbers, such as those of classes, expected scores: .* without the ARG_MAX"),
        ("outputs", 7, "gives int16, expected float32, uint8 or int8; convert it again with activations of 8 bits"),
        ("inputs", 4, "takes int64, expected float32, uint8 or int8"),
        ("inputs", 1, "takes float16, .*; convert it again with float32 in and out, its weights may stay float16"),
        ("inputs", 2, "takes int32, .*, such as words as numbers"),
        ("inputs", 5, "takes string, .* such as text or whole JPEG files; convert again the part that begins with the"),
        ("inputs", 10, "takes float64, .*; convert it again with float32 in and out"),
        ("inputs", 99, "takes TFLite type 99, expected float32, uint8 or int8"),
    ],
)
def test_another_dtype_is_named_for_what_it_is(which, dtype, told, edited):
    def change(model):
        graph = model.subgraphs[0]
        graph.tensors[getattr(graph, which)[0]].type = dtype

    with pytest.raises(ModelError, match=told):
        describe(edited("uint8", change), "toy")


def keep_state(model):
    model.subgraphs[0].tensors[-1].isVariable = True


def test_a_model_that_remembers_the_image_before_is_refused(edited):
    with pytest.raises(ModelError, match=r"toy keeps a state from one image to the next .* unroll=True"):
        describe(edited("uint8", keep_state), "toy")


def drop_scale(model):
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[0]].quantization = None


def test_scores_without_a_scale_are_refused(edited):
    with pytest.raises(ModelError, match=r"uint8 tensor has scale 0.0, expected a finite number above 0"):
        describe(edited("uint8", drop_scale), "toy")


@pytest.mark.parametrize(
    ("native", "told"),
    [
        (
            "Didn't find op for builtin opcode 'CONV_2D' version '9'. An older",
            "its operator CONV_2D has version 9, newer",
        ),
        ("Encountered unresolved custom op: edgetpu-custom-op.", "it is compiled for the Edge TPU"),
        ("Select TensorFlow op(s) FlexErf", "it needs TensorFlow itself for 'FlexErf'"),
        ("Model provided has schema version 9 not equal", "its schema version is 9, expected 3"),
        ("failed to prepare", "expected a whole file that this interpreter can prepare. Copy it again"),
    ],
)
def test_a_native_refusal_is_explained(native, told):
    assert explain_refusal(native).startswith(told)


def test_a_native_text_is_told_once_and_short():
    assert _one_line(ValueError("op  X\nop X\n" * 19 + "end")) == "op X end"
    assert len(_one_line(ValueError("x" * 999))) == 300


def pool_by_a_window(side):
    def change(model):
        code = next(each for each in model.operatorCodes if each.builtinCode == MEAN)
        code.builtinCode = code.deprecatedBuiltinCode = AVERAGE_POOL_2D
        graph = model.subgraphs[0]
        operator = next(each for each in graph.operators if model.operatorCodes[each.opcodeIndex] is code)
        operator.builtinOptionsType = schema.BuiltinOptions.Pool2DOptions
        operator.builtinOptions = schema.Pool2DOptionsT()
        operator.builtinOptions.filterWidth, operator.builtinOptions.filterHeight = side, 8

    return change


def test_features_are_means_of_the_map_only_where_the_window_is_the_whole_map(edited):
    assert find_features(edited("uint8", pool_by_a_window(8))).feature_map is not None
    assert find_features(edited("uint8", pool_by_a_window(7))).feature_map is None


@pytest.mark.parametrize(
    ("which", "told"),
    [
        ("inputs", r"has 2 inputs \(\(1, \d+, \d+, 3\), \(1, \d+, \d+, 3\)\) and 1 output; expected 1 image in"),
        (
            "outputs",
            r"has 1 input and 2 outputs \(\(1, 3\), \(1, 3\)\); .* Convert it again from a model with these alone",
        ),
    ],
)
def test_more_inputs_or_outputs_are_listed_by_their_shapes(which, told, edited):
    def change(model):
        graph = model.subgraphs[0]
        setattr(graph, which, [getattr(graph, which)[0]] * 2)

    with pytest.raises(ModelError, match=told):
        describe(edited("uint8", change), "toy")
