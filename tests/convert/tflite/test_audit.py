"""The proof of full integer must fail for each single way in which a model is not; counts are checked against
arithmetic.
"""

from __future__ import annotations

import flatbuffers
import numpy as np
import pytest

from convert.tflite import schema
from convert.tflite.audit import audit
from convert.tflite.operator_table import HIGHEST
from edge_runtime.inference.interpreter import list_available_backends

FLOAT32, INT8 = 0, 9


def spoiled(flatbuffer: bytes, change) -> bytes:
    tree = schema.read_tree(flatbuffer)
    change(tree)
    return schema.write_tree(tree)


def test_a_full_integer_model_has_no_problems_and_right_counts(toy: bytes) -> None:
    report = audit(toy)
    assert report.full_integer and report.degenerate == ()
    assert set(report.tensor_dtypes) <= {"int8", "uint8", "int32"}
    assert report.macs == sum(operator.macs for operator in report.operators) > 0
    assert report.num_bytes == len(toy)


def test_every_single_tensor_made_float_is_found(toy: bytes) -> None:
    for index in range(len(schema.read_tree(toy).subgraphs[0].tensors)):

        def change(tree, index: int = index) -> None:
            tree.subgraphs[0].tensors[index].type = FLOAT32

        problems = audit(spoiled(toy, change)).problems
        assert any(
            f"tensor {index} " in problem and "float32, expected an integer type" in problem for problem in problems
        )


def test_an_eight_bit_tensor_without_a_scale_is_found(toy: bytes) -> None:
    def change(tree) -> None:
        next(tensor for tensor in tree.subgraphs[0].tensors if tensor.type == INT8).quantization = None

    assert any("without a scale" in problem for problem in audit(spoiled(toy, change)).problems)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (6, r"computes in floating point (DEQUANTIZE), expected integers throughout"),
        (32, "needs the operator CUSTOM version 1"),
        (98 + 50, "which on LiteRT and tflite-runtime 2.14 does not run in integers"),
    ],
)
def test_a_floating_or_foreign_operator_is_found(toy: bytes, code: int, expected: str) -> None:
    def change(tree) -> None:
        tree.operatorCodes[0].builtinCode, tree.operatorCodes[0].deprecatedBuiltinCode = code, min(code, 127)

    assert any(expected in problem for problem in audit(spoiled(toy, change)).problems)


def test_an_operator_version_that_old_runtimes_lack_is_found(toy: bytes) -> None:
    def change(tree) -> None:
        tree.operatorCodes[0].version = 99

    assert any(
        "version 99, which on LiteRT and tflite-runtime 2.14 runs in integers only up to version" in problem
        for problem in audit(spoiled(toy, change)).problems
    )


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), 0.0, -1.0, 1e-42])
def test_a_degenerate_scale_is_found(toy: bytes, scale: float) -> None:
    def change(tree) -> None:
        tensor = next(tensor for tensor in tree.subgraphs[0].tensors if tensor.type == INT8)
        tensor.quantization.scale = np.full(len(tensor.quantization.scale), scale, np.float32)

    report = audit(spoiled(toy, change))
    assert len(report.degenerate) == 1 and "degenerate scales" in report.degenerate[0]


@pytest.mark.skipif("tflite" not in list_available_backends(), reason="tflite-runtime is not installed")
@pytest.mark.parametrize("kind", sorted(HIGHEST["tflite"]))
def test_no_operator_is_in_the_table_that_tflite_runtime_itself_refuses(toy: bytes, kind: str) -> None:
    import tflite_runtime.interpreter as tflite
    from ai_edge_litert import schema_py_generated as generated

    def loads(version: int) -> bool:
        tree = schema.read_tree(toy)
        code = getattr(generated.BuiltinOperator, kind)
        tree.operatorCodes.append(
            generated.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=min(code, 127), version=version)
        )
        builder = flatbuffers.Builder(1024)
        builder.Finish(tree.Pack(builder), schema.IDENTIFIER)
        try:
            tflite.Interpreter(model_content=bytes(builder.Output()))
        except ValueError:
            return False
        return True

    assert loads(HIGHEST["tflite"][kind]) and HIGHEST["tflite"][kind] <= HIGHEST["litert"][kind]
