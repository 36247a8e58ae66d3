"""Replays the golden frames inside the model file: this device must give the bytes that were recorded.

Input bytes must be exact everywhere. Outputs must be exact with the reference kernels of each interpreter that gave the
recorded ones, within one step with the kernels that they were recorded with (which round differently on another
processor), and must have the same label with all others. If the model has neighbours, the cosine to them must match,
too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import Interpreter
from edge_runtime.inference.neighbours import NeighbourTable
from edge_runtime.inference.postprocess import find_best
from edge_runtime.model.goldens import hash_input
from edge_runtime.model.model_file import ModelFile

# Floating-point outputs have no steps; a different summation order changes a float32 probability by less than this.
FLOAT_STEP = 1e-4
# Kernels differ in rounding features by a step or two of 256, which hardly changes the cosine of several hundred.
SIMILARITY_STEP = 0.01


@dataclass(frozen=True)
class OutputCheck:
    """How one set of kernels compared: ``rule`` is "exact", "one step" or "same label"; ``largest_step`` is the largest
    difference, in stored values.
    """

    kernels: str
    rule: str
    largest_step: float
    num_passed: int


@dataclass(frozen=True)
class SelftestReport:
    """``num_inputs_exact`` of ``num_frames`` input tensors are exact; one `OutputCheck` per set of kernels."""

    num_frames: int
    num_inputs_exact: int
    outputs: tuple[OutputCheck, ...]
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures


def selftest(classifier: Classifier, *, reference: bool = True) -> SelftestReport:
    """The report on all golden frames, with the classifier's kernels and, if ``reference``, the (slow) reference ones.

    Raises:
        ModelError: the model has no goldens.
    """
    goldens = classifier.model.goldens
    if goldens is None:
        raise ModelError(
            "The model has no golden frames, so nothing can be replayed; convert it with this project to get some."
        )
    inputs = np.stack([classifier.input_tensor(frame) for frame in goldens.frames])
    digests = np.stack([hash_input(input_tensor) for input_tensor in inputs])
    exact = (digests == goldens.input_digests).all(axis=1)
    failures = [
        f"frame {index}: the input tensor of its {goldens.frames[index].shape[1]}x{goldens.frames[index].shape[0]} "
        f"pixels is not the recorded one (SHA-256 {digests[index].tobytes().hex()[:8]}..., "
        f"expected {goldens.input_digests[index].tobytes().hex()[:8]}...)"
        for index in np.flatnonzero(~exact).tolist()
    ]
    neighbours, rows = classifier.contract.neighbours, classifier.model.neighbours
    extra = () if neighbours is None else (neighbours.tensor,)
    table = None if neighbours is None or rows is None else NeighbourTable(neighbours, rows)
    flatbuffer, backend = classifier.model.flatbuffer, classifier.interpreter.backend
    interpreters = [classifier.interpreter]
    if table is not None and not classifier.has_neighbours:  # it was opened with threshold 0
        interpreters = [Interpreter(flatbuffer, backend, extra_outputs=extra)]
    if reference and classifier.interpreter.kernels != "reference":
        shape = classifier.contract.input_tensor.shape
        interpreters.append(
            Interpreter(flatbuffer, backend, kernels="reference", extra_outputs=extra, input_shape=shape)
        )
    outputs = tuple(
        _check_outputs(interpreter, table, classifier.model, inputs, exact, failures) for interpreter in interpreters
    )
    return SelftestReport(len(goldens.images), int(exact.sum()), outputs, tuple(failures))


def _check_outputs(
    interpreter: Interpreter,
    table: NeighbourTable | None,
    model: ModelFile,
    inputs: NDArray[Any],
    exact: NDArray[np.bool_],
    failures: list[str],
) -> OutputCheck:
    goldens = model.goldens
    assert goldens is not None
    outputs, similarities = _run(interpreter, table, inputs)
    recorded = goldens.reference_outputs if interpreter.kernels == "reference" else goldens.outputs
    steps = _steps(outputs, recorded)
    same_label = find_best(outputs, model.contract) == find_best(recorded, model.contract)
    # Logits may be large, and the rounding errors of a float32 sum grow with them.
    slack = FLOAT_STEP * max(1.0, float(np.abs(recorded).max())) if outputs.dtype.kind == "f" else 0
    if interpreter.kernels == "reference" and interpreter.backend in goldens.reference_backends:
        rule, passed = "exact", steps <= slack
    elif interpreter.kernels == goldens.kernels:
        rule, passed = "one step", steps <= (slack or 1)
    else:
        rule, passed = "same label", same_label
    # The output for a wrong input says nothing about the kernels; the input has already been reported.
    for index in np.flatnonzero(exact & ~passed).tolist():
        failures.append(
            f"frame {index}: {interpreter.backend} {interpreter.kernels} outputs are up to {steps[index]:g} from those "
            f"recorded with {goldens.kernels}, expected: {rule}"
        )
    if goldens.similarities is not None:
        near = np.abs(similarities - goldens.similarities) <= SIMILARITY_STEP
        for index in np.flatnonzero(exact & ~near).tolist():
            failures.append(
                f"frame {index}: {interpreter.backend} {interpreter.kernels} finds a cosine of "
                f"{similarities[index]:.4f} to its neighbours, expected {goldens.similarities[index]:.4f} "
                f"within {SIMILARITY_STEP:g}"
            )
        passed = passed & near
    return OutputCheck(interpreter.kernels, rule, float(steps.max()), int((exact & passed).sum()))


def _run(
    interpreter: Interpreter, table: NeighbourTable | None, inputs: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """The (n, classes) outputs and (n,) cosines to the neighbours, zeros without a table."""
    outputs = []
    similarities = np.zeros(len(inputs), np.float32)
    for index, input_tensor in enumerate(inputs):
        outputs.append(interpreter.invoke(input_tensor))
        if table is not None:
            similarities[index] = table.similarity(interpreter.extra(0).reshape(-1))
    return np.stack(outputs), similarities


def _steps(outputs: NDArray[Any], recorded: NDArray[Any]) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = np.abs(outputs.astype(np.float64) - recorded).max(axis=1)
    return distances
