"""The contract's JSON form is canonical and strict: whole expected text, and each refusal in words."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from edge_runtime.contract import (
    DriftReference,
    contract_from_json,
    region_from_json,
    spec_from_json,
    to_json,
)
from edge_runtime.contract.drift_reference import PROBABILITIES
from edge_runtime.errors import ModelError
from tests.edge_runtime.sample_contract import CONTRACT, SPEC


def test_a_spec_is_written_as_canonical_json() -> None:
    assert (
        to_json(SPEC)
        == """{
  "input": {
    "height": 8,
    "resize": "crop",
    "width": 16
  },
  "labels": [
    "cup",
    "tasse à café"
  ],
  "name": "tiny",
  "output": "logits"
}
"""
    )


def test_what_was_written_reads_back_as_the_same_value() -> None:
    assert spec_from_json(to_json(SPEC)) == SPEC
    assert contract_from_json(to_json(CONTRACT)) == CONTRACT
    stricter = dataclasses.replace(CONTRACT, class_thresholds={"cup": 0.75})
    assert contract_from_json(to_json(stricter)) == stricter and "class_thresholds" not in to_json(CONTRACT)
    assert CONTRACT.scores[0].accuracy == 0.9


def test_what_normal_frames_give_is_read_back() -> None:
    rising = tuple(number / 10 for number in range(len(PROBABILITIES)))
    watched = dataclasses.replace(CONTRACT, drift=DriftReference(10, rising, (), rising, rising))
    assert contract_from_json(to_json(watched)) == watched and "drift" not in to_json(CONTRACT)


def changed(*path: str, value: Any) -> str:
    """The contract's JSON with the value at ``path`` replaced; DROP removes the key."""
    data = json.loads(to_json(CONTRACT))
    place = data
    for key in path[:-1]:
        place = place[key]
    if value is DROP:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(data)


DROP = object()
REFUSED = [
    (("version",), 2, r"The contract has version 2, this runtime reads version 1: install a matching edge-runtime"),
    (("version",), True, r"Contract.version is True, expected int"),
    (("threshold",), 1.5, r"The threshold is 1.5, expected a probability in \[0, 1\]"),
    (("class_thresholds",), {"mug": 0.5}, r"The threshold of 'mug' is 0.5, expected one of the model's labels"),
    (("class_thresholds",), {"cup": 1.5}, r"The threshold of 'cup' is 1.5, expected .* probability in \[0, 1\]"),
    (("class_thresholds",), [1], r"The contract holds \[1\] as class_thresholds, expected an object of numbers"),
    (("class_thresholds",), {"cup": "x"}, r"The contract holds 'x' where a number belongs"),
    (("threshold",), "high", r"The contract holds 'high' where a number belongs"),
    (("colour",), "red", r"The contract's Contract has unknown keys \['colour'\] and lacks \[\]: versions differ"),
    (("threshold",), 10**400, r"a whole number with over 300 digits where a number belongs"),
    (("parts",), DROP, r"has unknown keys \[\] and lacks \['parts'\]"),
    (("spec",), 5, r"The contract holds 5 as ModelSpec, expected an object"),
    (("spec", "labels"), ["cup", 7], r"The contract holds the label 7, expected text"),
    (("spec", "labels"), "cup", r"The contract holds 'cup' as labels, expected a list"),
    (("spec", "labels"), ["cup", "cup"], r"The labels \['cup'\] occur more than once, expected 2 different ones"),
    (("spec", "labels"), ["cup"], r"The model has 1 label\(s\), expected at least 2"),
    (("spec", "labels"), ["cup", " mug"], r"The label ' mug' is empty, padded with blanks or has a line break"),
    (("spec", "labels"), ["a", "b", "c"], r"The output tensor is \(1, 2\) but there are 3 labels"),
    (("spec", "name"), "a/b", r"The model name is 'a/b', expected one non-empty word without slashes"),
    (("spec", "output"), "scores", r"The output is 'scores', expected one of logits, probabilities"),
    (("spec", "input", "height"), 0, r"The input height is 0, expected a whole number from 1 to 4096"),
    (("spec", "input", "width"), 9000, r"The input width is 9000, expected a whole number from 1 to 4096"),
    (("spec", "input", "resize"), "zoom", r"The resize mode is 'zoom', expected one of stretch, crop, letterbox"),
    (("spec", "input", "height"), 9, r"The input tensor is \(1, 8, 16, 3\) but the input spec says \(1, 9, 16, 3\)"),
    (("normalization", "std"), [1, 2], r"The normalisation has 1 mean and 2 std values, expected 1 of each or 3"),
    (("normalization", "std"), [0], r"The normalisation is mean \(127.0,\), std \(0.0,\); expected finite numbers"),
    (("input_tensor", "dtype"), "int16", r"The tensor dtype is 'int16', expected one of uint8, int8, float32"),
    (("output_tensor", "scale"), 0, r"The uint8 tensor has scale 0.0, expected a finite number above 0"),
    (("scores",), [{"backend": "x", "num_correct": 3, "num_images": 2}], r"The score of x is 3 of 2 images"),
]


@pytest.mark.parametrize(("path", "value", "message"), REFUSED)
def test_a_contract_that_contradicts_itself_is_refused_in_words(
    path: tuple[str, ...], value: Any, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        contract_from_json(changed(*path, value=value))


@pytest.mark.parametrize("text", ["{", "[" * 20_000], ids=["cut", "too deep"])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match=r"contract.json is not JSON \(.*\); the file is damaged"):
        contract_from_json(text)


def test_numbers_that_json_cannot_hold_are_never_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(dataclasses.replace(CONTRACT, provenance={"loss": float("nan")}))


def test_a_region_is_read_back() -> None:
    text = '{"left": 0.25, "top": 0.0, "width": 0.5, "height": 1.0}'
    assert dataclasses.astuple(region_from_json(text)) == (0.25, 0.0, 0.5, 1.0)
    with pytest.raises(ModelError, match=r"The contract holds '0\.25' where a number belongs"):
        region_from_json(text.replace("0.25", '"0.25"'))
