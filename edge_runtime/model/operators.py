"""Operators that the supported interpreters cannot run, and what an interpreter's refusal means, with a remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge_runtime.errors import ModelError

_NEWER = re.compile(r"op for builtin opcode '(\w+)' version '(\d+)'")
_CUSTOM = re.compile(r"unresolved custom op: ([\w-]+)")
_SCHEMA = re.compile(r"schema version (\d+)")


def refuse_custom_operators(names: Sequence[str], name: str) -> None:
    """Raises ModelError if any of ``names``, the custom operators of the model ``name``, is not ""."""
    for operator in filter(None, names):
        raise ModelError(f"{name} cannot run here: {_explain_custom(operator)}")


def explain_refusal(native_text: str) -> str:
    """What an interpreter's own error text means, and what to do."""
    if found := _CUSTOM.search(native_text) or re.search(r"\b(Flex\w+)", native_text):
        return _explain_custom(found[1])
    if found := _NEWER.search(native_text):
        return (
            f"its operator {found[1]} has version {found[2]}, newer than this interpreter. "
            "Update the interpreter, or convert the model again with an older TensorFlow."
        )
    if found := _SCHEMA.search(native_text):
        return f"its schema version is {found[1]}, expected 3. Copy it again, or convert it with TensorFlow 2."
    return "expected a whole file that this interpreter can prepare. Copy it again, or convert it again."


def _explain_custom(operator: str) -> str:
    if operator.startswith("edgetpu-custom-op"):
        return (
            "it is compiled for the Edge TPU. Give the file from before edgetpu_compiler, "
            "whose name does not end in _edgetpu."
        )
    if operator.startswith("Flex"):
        return (
            f"it needs TensorFlow itself for {operator!r} (Flex, SELECT_TF_OPS). "
            "Convert it again with TFLITE_BUILTINS alone."
        )
    if operator == "TFLite_Detection_PostProcess":
        return f"it detects objects (its operator {operator!r} lists boxes), expected one score per class."
    return f"its custom operator {operator!r} is not in this interpreter. Convert it again with builtin operators."
