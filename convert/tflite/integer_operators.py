"""Finds the layers that no full-integer file can hold, and says what to use instead of each.

An operator has to run in integers on every backend. What runs where is in `operator_table`, which a script makes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from convert.tflite.operator_table import HIGHEST

_NAMES = {"litert": "LiteRT", "tflite": "tflite-runtime 2.14"}
_NORMALIZE = "use BatchNormalization, which is folded into the convolution before it"
# In order: the first entry whose operators are all in a layer says what to use instead.
_REMEDIES = (
    ({"ELU"}, "use relu, relu6 or selu instead of elu"),
    ({"LOG", "TANH"}, "use silu or hard_silu instead of mish"),
    ({"LOG", "EXP"}, "use relu instead of softplus or log_sigmoid, silu instead of mish"),
    ({"RSQRT"}, _NORMALIZE),
    ({"SQUARED_DIFFERENCE"}, _NORMALIZE),
    ({"L2_NORMALIZATION"}, _NORMALIZE),
    ({"SQRT", "SQUARE"}, "use relu or silu instead of squareplus"),
    ({"ABS", "DIV"}, "use tanh instead of softsign"),
    ({"DIV"}, "multiply by the reciprocal, which can be a Rescaling where it is constant"),
    ({"TRANSPOSE_CONV"}, "use UpSampling2D and Conv2D, or put the activation into a layer of its own"),
)
_OTHERWISE = "use layers that compute in integers (docs/own-keras-model.md lists them)"


@dataclass(frozen=True)
class Placed:
    """One operator of a file; ``floating`` says whether its output is floating point."""

    kind: str
    version: int
    layer: str
    floating: bool


def find_problems(operators: Iterable[Placed]) -> list[str]:
    """A sentence for each layer that does not run in integers on every backend, in order of execution: which operator,
    where, and what to use instead.
    """
    layers: dict[str, list[Placed]] = {}
    for operator in operators:
        layers.setdefault(operator.layer, []).append(operator)
    blamed = [*layers.items()]
    # A DEQUANTIZE only serves the floating-point operator behind it, if there is one.
    serves = any(item.floating and item.kind != "DEQUANTIZE" for _, placed in blamed for item in placed)
    return [problem for layer, placed in blamed if (problem := _find_problem(layer, placed, serves=serves))]


def _find_problem(layer: str, placed: list[Placed], *, serves: bool) -> str:
    remedy = find_remedy({item.kind for item in placed})
    floating = {item.kind for item in placed if item.floating or item.kind == "DEQUANTIZE"}
    if floating - {"DEQUANTIZE"} or (floating and not serves):
        kinds = ", ".join(sorted(floating - {"DEQUANTIZE"} or floating))
        return f"layer {layer} computes in floating point ({kinds}), expected integers throughout; {remedy}"
    lacking = [reason for item in placed if (reason := _find_lack(item.kind, item.version))]
    return f"layer {layer} needs {', '.join(dict.fromkeys(lacking))}; {remedy}" if lacking else ""


def find_remedy(kinds: set[str]) -> str:
    """What to use instead of a layer made of the operators ``kinds``."""
    return next((remedy for parts, remedy in _REMEDIES if parts <= kinds), _OTHERWISE)


def _find_lack(kind: str, version: int) -> str:
    lacking = [backend for backend, highest in HIGHEST.items() if version > highest.get(kind, 0)]
    if not lacking or kind == "DEQUANTIZE":
        return ""
    known = max(HIGHEST[backend].get(kind, 0) for backend in lacking)
    where = " and ".join(_NAMES[backend] for backend in lacking)
    runs = f"runs in integers only up to version {known}" if known else "does not run in integers"
    return f"the operator {kind.strip()} version {version}, which on {where} {runs}"
