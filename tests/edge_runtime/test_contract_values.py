"""The values of a contract take what lies on their limits, refuse what lies beyond, and never change."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from edge_runtime.contract import (
    Contract,
    InputLayout,
    InputSpec,
    ModelSpec,
    Neighbours,
    Normalization,
    Provisional,
    Region,
    Score,
    TensorSpec,
)
from edge_runtime.contract.values import MAX_INPUT_SIDE, MAX_NEIGHBOUR_BYTES, expect_name
from edge_runtime.errors import ModelError
from tests.edge_runtime import sample_contract

INPUT = InputSpec(8, 16)
SPEC = ModelSpec("tiny", ("cup", "mug"), INPUT, "logits")
CONTRACT = dataclasses.replace(sample_contract.CONTRACT, spec=SPEC, provenance={})
NEIGHBOURS = Neighbours(3, 0, 64, 200, 5, 0.5)


def contract(**changes: Any) -> Contract:
    return dataclasses.replace(CONTRACT, **changes)


def neighbours(**changes: Any) -> Neighbours:
    return dataclasses.replace(NEIGHBOURS, **changes)


def grey(mean: tuple[float, ...]) -> Contract:
    return contract(
        layout=InputLayout("grey", "NHWC"),
        input_tensor=TensorSpec((1, 8, 16, 1), "uint8", 1 / 128, 127),
        normalization=Normalization(mean, mean),
    )


def binary(**changes: Any) -> Contract:
    return contract(output_tensor=TensorSpec((1, 1), "uint8", 1 / 256, 0), **changes)


TAKEN: list[Callable[[], object]] = [
    lambda: InputSpec(1, MAX_INPUT_SIDE),
    lambda: InputSpec(MAX_INPUT_SIDE, 1),
    lambda: ModelSpec("a", ("x", "y"), INPUT, "probabilities"),
    lambda: Normalization((1.0, 2.0, 3.0), (0.1, 0.2, 0.3)),
    lambda: TensorSpec((1,), "float32", 0.0, 0),
    lambda: TensorSpec((1,), "int8", 1e-9, 0),
    lambda: Score("x", 0, 1),
    lambda: Score("x", 1, 1),
    lambda: neighbours(tensor=0, zero_point=-128, width=1),
    lambda: neighbours(zero_point=127),
    lambda: neighbours(rank=1),
    lambda: neighbours(rank=200),
    lambda: neighbours(width=1, num_images=MAX_NEIGHBOUR_BYTES),
    lambda: neighbours(width=64, num_images=MAX_NEIGHBOUR_BYTES // 64),
    lambda: neighbours(cut=-1.0),
    lambda: neighbours(cut=1.0),
    lambda: Region(0.0, 0.0, 1.0, 1.0),
    lambda: Region(0.7, 0.7, 0.3 + 1e-9, 0.3 + 1e-9),
    lambda: Region(0.5, 0.5, 0.01, 0.01),
    lambda: Provisional(1, 0),
    lambda: Provisional(1, 1),
    lambda: contract(threshold=0.0),
    lambda: contract(threshold=1.0),
    lambda: contract(class_thresholds={"cup": 0.0, "mug": 1.0}),
    lambda: grey((1.0,)),
    lambda: binary(),
]


@pytest.mark.parametrize("make", TAKEN)
def test_what_lies_on_a_limit_is_taken(make: Callable[[], object]) -> None:
    make()


REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: InputSpec(0, 8), r"The input height is 0, expected a whole number from 1 to 4096"),
    (lambda: InputSpec(8, 4097), r"The input width is 4097, expected a whole number from 1 to 4096"),
    (lambda: InputSpec(8, 8.0), r"The input width is 8.0, expected a whole number"),  # type: ignore[arg-type]
    (lambda: ModelSpec("", ("x", "y"), INPUT, "logits"), r"The model name is '', expected one non-empty word"),
    (lambda: ModelSpec("a", ("x",), INPUT, "logits"), r"The model has 1 label\(s\), expected at least 2"),
    (lambda: ModelSpec("a", ("x", ""), INPUT, "logits"), r"The label '' is empty, padded"),
    (lambda: ModelSpec("a", ("x", "a\nb"), INPUT, "logits"), r"The label 'a\\nb' is empty, padded with blanks or has"),
    (lambda: ModelSpec("a", ("x", "y", "x"), INPUT, "logits"), r"The labels \['x'\] occur more than once, expected 3 "),
    (lambda: Normalization((1.0, 2.0), (1.0, 2.0)), r"has 2 mean and 2 std values, expected 1 of each or 3 of each"),
    (lambda: Normalization((1.0, 2.0, 3.0), (1.0,)), r"has 3 mean and 1 std values, expected 1 of each or 3 of each"),
    (lambda: Normalization((float("nan"),), (1.0,)), r"expected finite numbers and std above 0"),
    (lambda: Normalization((1.0,), (float("inf"),)), r"expected finite numbers and std above 0"),
    (lambda: Normalization((1.0,), (0.0,)), r"expected finite numbers and std above 0"),
    (lambda: TensorSpec((1,), "int8", 0.0, 0), r"The int8 tensor has scale 0.0, expected a finite number above 0"),
    (lambda: TensorSpec((1,), "int8", float("inf"), 0), r"The int8 tensor has scale inf, expected a finite number"),
    (lambda: Score("x", -1, 1), r"The score of x is -1 of 1 images, which is impossible"),
    (lambda: Score("x", 2, 1), r"The score of x is 2 of 1 images, which is impossible"),
    (lambda: Score("x", 0, 0), r"The score of x is 0 of 0 images, which is impossible"),
    (lambda: neighbours(tensor=-1), r"features of tensor -1 with zero point 0 and width 64, expected a tensor from 0"),
    (lambda: neighbours(zero_point=-129), r"zero point -129 and width 64, expected .* a zero point of -128 to 127"),
    (lambda: neighbours(zero_point=128), r"zero point 128 and width 64, expected .* a zero point of -128 to 127"),
    (lambda: neighbours(width=0), r"and width 0, expected .* at least one value"),
    (
        lambda: neighbours(rank=0),
        r"The neighbours are number 0 of 200 images with 64 values each, expected one of them",
    ),
    (lambda: neighbours(rank=201), r"The neighbours are number 201 of 200 images"),
    (lambda: neighbours(width=1, num_images=4 * 1024 * 1024 + 1), r"expected one of them and at most 4194304 bytes"),
    (
        lambda: neighbours(width=64, num_images=65537),
        r"images with 64 values each, expected one of them and at most 41",
    ),
    (lambda: neighbours(cut=-1.1), r"The neighbours' cut is -1.1, expected a cosine in \[-1, 1\]"),
    (lambda: neighbours(cut=1.1), r"The neighbours' cut is 1.1, expected a cosine in \[-1, 1\]"),
    (lambda: Region(-0.1, 0.0, 0.5, 0.5), r"The region is -0.1,0,0.5,0.5, expected X,Y,W,H in fractions of the frame"),
    (lambda: Region(0.0, -0.1, 0.5, 0.5), r"The region is 0,-0.1,0.5,0.5, expected"),
    (lambda: Region(0.6, 0.0, 0.5, 0.5), r"The region is 0.6,0,0.5,0.5, expected"),
    (lambda: Region(0.0, 0.6, 0.5, 0.5), r"The region is 0,0.6,0.5,0.5, expected"),
    (lambda: Region(0.0, 0.0, 0.009, 0.5), r"The region is 0,0,0.009,0.5, expected .* at least 0.01 wide and high"),
    (lambda: Region(0.0, 0.0, 0.5, 0.009), r"The region is 0,0,0.5,0.009, expected .* at least 0.01 wide and high"),
    (lambda: Provisional(0, 0), r"The provisional model recognised 0 of 0 taught photos, which is impossible"),
    (lambda: Provisional(2, 3), r"The provisional model recognised 3 of 2 taught photos, which is impossible"),
    (lambda: Provisional(2, -1), r"The provisional model recognised -1 of 2 taught photos, which is impossible"),
    (lambda: contract(version=2), r"The contract has version 2, this runtime reads version 1"),
    (lambda: contract(threshold=-0.1), r"The threshold is -0.1, expected a probability in \[0, 1\]"),
    (lambda: contract(threshold=1.1), r"The threshold is 1.1, expected a probability in \[0, 1\]"),
    (lambda: contract(class_thresholds={"mug": -0.1}), r"The threshold of 'mug' is -0.1, expected one of the model's"),
    (lambda: grey((1.0, 2.0, 3.0)), r"The normalisation is mean \(1.0, 2.0, 3.0\), expected one value: it sees grey"),
    (
        lambda: binary(spec=dataclasses.replace(SPEC, labels=("a", "b", "c"))),
        r"The output tensor is \(1, 1\) but there are 3 labels",
    ),
    *[
        (lambda name=f"a{character}b": expect_name(name), r"expected one non-empty word without slashes or line breaks")
        for character in "/\\\0\n"
    ],
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_lies_beyond_a_limit_is_refused_in_words(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make()


def test_an_output_of_one_number_is_the_second_label_s_score() -> None:
    assert binary().is_binary and not CONTRACT.is_binary


def test_values_are_shown_in_words() -> None:
    assert str(Region(0.25, 1 / 3, 0.5, 0.0123456789)) == "0.25,0.333333,0.5,0.0123457"
    assert str(Provisional(12, 9)) == "provisional: 9 of 12 taught photos recognised when left out"
    assert Score("litert", 9, 10).accuracy == 0.9


@pytest.mark.parametrize(
    "value",
    [INPUT, SPEC, CONTRACT, NEIGHBOURS, CONTRACT.normalization, CONTRACT.input_tensor, CONTRACT.scores[0],
     Region(0.0, 0.0, 1.0, 1.0), Provisional(1, 1)],
)  # fmt: skip
def test_no_value_can_be_changed(value: Any) -> None:
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, getattr(value, name))
