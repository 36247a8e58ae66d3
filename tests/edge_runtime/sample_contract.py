"""A contract of two classes that the tests of contracts change in one place each."""

from __future__ import annotations

import dataclasses

from edge_runtime.contract import Contract, InputSpec, ModelSpec, Normalization, Score, TensorSpec

SPEC = ModelSpec("tiny", ("cup", "tasse à café"), InputSpec(8, 16, "crop"), "logits")
CONTRACT = Contract(
    version=1,
    spec=dataclasses.replace(SPEC, output="probabilities"),
    normalization=Normalization((127.0,), (128.0,)),
    input_tensor=TensorSpec((1, 8, 16, 3), "uint8", 1 / 128, 127),
    output_tensor=TensorSpec((1, 2), "uint8", 1 / 256, 0),
    threshold=0.25,
    scores=(Score("litert", 9, 10),),
    parts={"model": "00"},
    provenance={"seed": 3},
)
