"""A layer that no full-integer file can hold is named with its operator and with what to use instead."""

from __future__ import annotations

import pytest

from convert.tflite.integer_operators import Placed, find_problems, find_remedy
from convert.tflite.operator_table import HIGHEST


def place(layer: str, *kinds: str, floating: tuple[str, ...] = (), version: int = 1) -> list[Placed]:
    return [Placed(kind, version, layer, kind in floating) for kind in kinds]


def test_layers_that_compute_in_integers_everywhere_are_no_problem() -> None:
    selu = place("selu", "GREATER", "EXP", "MUL", "SUB", "SELECT")
    assert find_problems([*place("conv", "CONV_2D", version=3), *selu, *place("out", "SOFTMAX", version=2)]) == []


def test_a_layer_in_floating_point_is_named_and_not_the_one_before_it() -> None:
    before = place("conv", "CONV_2D", "DEQUANTIZE", floating=("DEQUANTIZE",))
    problems = find_problems([*before, *place("elu_3", "ELU", "QUANTIZE", floating=("ELU",))])
    assert problems == [
        "layer elu_3 computes in floating point (ELU), expected integers throughout; use relu, relu6 or selu instead of "
        "elu"
    ]


def test_what_makes_floating_point_for_nobody_is_named_itself() -> None:
    (problem,) = find_problems(place("out", "SOFTMAX", "DEQUANTIZE", floating=("DEQUANTIZE",)))
    assert problem.startswith("layer out computes in floating point (DEQUANTIZE)")


def test_an_operator_that_one_backend_lacks_is_named_with_that_backend() -> None:
    (problem,) = find_problems(place("mish", "EXP", "LOG", "TANH", "MUL", version=2))
    assert problem == (
        "layer mish needs the operator LOG version 2, which on tflite-runtime 2.14 does not run in integers; use silu or "
        "hard_silu instead of mish"
    )
    version = HIGHEST["tflite"]["TRANSPOSE_CONV"] + 1
    (problem,) = find_problems(place("up", "TRANSPOSE_CONV", version=version))
    assert f"TRANSPOSE_CONV version {version}, which on" in problem
    assert f"2.14 runs in integers only up to version {version - 1}; use UpSampling2D" in problem


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({"SQUARED_DIFFERENCE", "RSQRT", "MUL"}, "use BatchNormalization"),
        ({"SQUARE", "RSQRT"}, "use BatchNormalization"),
        ({"LOG", "EXP", "ADD"}, "instead of softplus"),
        ({"SQRT", "SQUARE"}, "instead of squareplus"),
        ({"ABS", "DIV"}, "tanh instead of softsign"),
        ({"DIV"}, "multiply by the reciprocal"),
        ({"L2_NORMALIZATION"}, "use BatchNormalization"),
        ({"SQUARED_DIFFERENCE"}, "use BatchNormalization"),
        ({"CUSTOM"}, "docs/own-keras-model.md lists them"),
    ],
)
def test_each_remedy_says_what_to_use_instead(kinds: set[str], expected: str) -> None:
    assert expected in find_remedy(kinds)
