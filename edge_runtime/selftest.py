"""Replays the golden frames that travel inside the model file: this device must give the bytes that were recorded.

Input bytes must be exact everywhere. Output bytes must be exact on the reference kernels of each interpreter that gave
the recorded ones, within one step on the kernels they were recorded with (these round differently on another
processor), and of the same label on all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.classifier import Classifier
from edge_runtime.errors import ModelError
from edge_runtime.goldens import Goldens
from edge_runtime.interpreter import Interpreter

# Floating point outputs have no steps; summation order alone moves a float32 probability by less than this.
FLOAT_STEP = 1e-4


@dataclass(frozen=True)
class OutputCheck:
    """How one set of kernels compared: ``rule`` is "exact", "one step" or "same label"; ``largest_step`` stored."""

    kernels: str
    rule: str
    largest_step: float
    num_passed: int


@dataclass(frozen=True)
class SelftestReport:
    """``num_inputs_exact`` of ``num_frames`` input tensors are right to the byte; an `OutputCheck` a set of kernels."""

    num_frames: int
    num_inputs_exact: int
    outputs: tuple[OutputCheck, ...]
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


def selftest(classifier: Classifier, *, reference: bool = True) -> SelftestReport:
    """The report on all golden frames: with the classifier's kernels and, if ``reference``, the (slow) reference ones.

    Raises:
        ModelError: the model has no goldens.
    """
    goldens = classifier.model.goldens
    if goldens is None:
        raise ModelError(
            "The model has no golden frames, so nothing can be replayed; convert it with this project to get some."
        )
    failures: list[str] = []
    num_inputs_exact = 0
    for index, frame in enumerate(goldens.frames):
        wrong = int((classifier.input_tensor(frame) != goldens.inputs[index]).sum())
        num_inputs_exact += not wrong
        if wrong:
            failures.append(
                f"frame {index}: {wrong} of {goldens.inputs[index].size} input values differ from the recorded ones"
            )
    interpreters = [classifier.interpreter]
    if reference and classifier.interpreter.kernels != "reference":
        interpreters.append(
            Interpreter(classifier.model.flatbuffer, classifier.interpreter.backend, kernels="reference")
        )
    outputs = tuple(_check_outputs(interpreter, goldens, failures) for interpreter in interpreters)
    return SelftestReport(len(goldens.frames), num_inputs_exact, outputs, tuple(failures))


def _check_outputs(interpreter: Interpreter, goldens: Goldens, failures: list[str]) -> OutputCheck:
    # The recorded inputs go in, so that wrong preprocessing is reported once, as itself.
    outputs = np.stack([interpreter.invoke(input_tensor) for input_tensor in goldens.inputs])
    recorded = goldens.reference_outputs if interpreter.kernels == "reference" else goldens.outputs
    steps = _steps(outputs, recorded)
    same_label = outputs.argmax(axis=1) == recorded.argmax(axis=1)
    slack = FLOAT_STEP if outputs.dtype.kind == "f" else 0
    if interpreter.kernels == "reference" and interpreter.backend in goldens.reference_backends:
        rule, passed = "exact", steps <= slack
    elif interpreter.kernels == goldens.kernels:
        rule, passed = "one step", steps <= (slack or 1)
    else:
        rule, passed = "same label", same_label
    for index in np.flatnonzero(~passed).tolist():
        failures.append(
            f"frame {index}: {interpreter.backend} {interpreter.kernels} outputs are up to {steps[index]:g} from those "
            f"recorded with {goldens.kernels}, expected: {rule}"
        )
    return OutputCheck(interpreter.kernels, rule, float(steps.max()), int(passed.sum()))


def _steps(outputs: NDArray[Any], recorded: NDArray[Any]) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = np.abs(outputs.astype(np.float64) - recorded).max(axis=1)
    return distances
