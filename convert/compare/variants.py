"""Every variant of one trained model: float32, float16, int8 ..., pruned copies, and other runs on the same data.

A variant that cannot be made is not left out: it comes back as a `Failure` with the reason.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convert.converter import quantize
from convert.converter.contract import derive_spec
from convert.converter.opened import PackedModel, open_integer, pack_model
from convert.inputs.calibration import Calibration, choose_calibration
from convert.inputs.run_directory import read_run_directory
from convert.inputs.source import Source
from convert.output.progress import stage
from convert.tflite.audit import AuditReport
from edge_runtime.contract import ModelSpec, Normalization
from edge_runtime.errors import DataError, EdgeRuntimeError
from edge_runtime.model.model_file import ModelFile

FLOAT32, UINT8_IO, INT8_IO = "float32", "int8, uint8 io", "int8, int8 io"
SAME_MODEL, PRUNED, OTHER = "same weights", "pruned", "other architecture"


@dataclass(frozen=True)
class Variant:
    """``name`` is short and unique, ``how`` says in words what it is, ``group`` is one of the constants above; ``run``
    is the run directory that it was converted from, None for the run being compared.
    """

    name: str
    how: str
    group: str
    model: ModelFile
    audit: AuditReport
    run: Path | None = None


@dataclass(frozen=True)
class Failure:
    """A variant that could not be made."""

    name: str
    group: str
    reason: str


def make_variants(source: Source, calibration: Calibration) -> list[Variant | Failure]:
    """The trained model itself in each variant; the first is `FLOAT32`."""
    spec = derive_spec(source, None)
    images = calibration.images
    made: list[tuple[str, str, Callable[[], PackedModel]]] = [
        (FLOAT32, "float32 throughout", lambda: pack_model(quantize.to_float(source), spec)),
        ("float16", "float16 weights, float32 arithmetic", lambda: pack_model(quantize.to_float16(source), spec)),
        (
            "dynamic int8",
            "int8 weights, activations quantised at each call, float32 between layers",
            lambda: pack_model(quantize.to_dynamic_range(source), spec),
        ),
        (
            UINT8_IO,
            "full integer, raw uint8 pixels in",
            lambda: open_integer(source, spec, calibration, "uint8"),
        ),
        (INT8_IO, "full integer, pixels - 128 in", lambda: open_integer(source, spec, calibration, "int8")),
        ("int16x8", "int16 activations, int8 weights, float32 in and out", lambda: _int16(source, spec, images)),
    ]
    return [_made(name, how, SAME_MODEL, make) for name, how, make in made]


def convert_pruned(run: Path, sparsity: str, num_calibration: int, seed: int) -> Variant | Failure:
    """The full-integer variant of a pruned run directory."""
    how = f"{sparsity} of the weights are zero, fine-tuned, then full integer"
    return _made(f"pruned {sparsity}", how, PRUNED, lambda: _converted(run, num_calibration, seed), run)


def convert_other(run: Path, num_calibration: int, seed: int) -> Variant | Failure:
    """The full-integer variant of another run directory, named after its folder."""
    return _made(
        run.name, "another run on the same data, full integer", OTHER, lambda: _converted(run, num_calibration, seed)
    )


def find_runs_on_same_data(run: Path, source: Source, candidates: Sequence[Path]) -> list[Path]:
    """Those of ``candidates`` that are other runs with the same labels and the same test images as ``run``."""
    tested = {entry.sha256 for entry in source.test}
    found = []
    for path in candidates:
        if path.resolve() == run.resolve() or not (path / "contract.json").is_file():
            continue
        try:
            other = read_run_directory(path)
        except EdgeRuntimeError:
            continue  # an unfinished or damaged run cannot be compared
        if other.spec.labels == source.spec.labels and {entry.sha256 for entry in other.test} == tested:
            found.append(path)
    return found


def expect_same_data(run: Path, source: Source, other: Path) -> None:
    """Raises DataError unless ``other`` was tested on the same images as ``run``."""
    if not find_runs_on_same_data(run, source, [other]):
        raise DataError(
            f"{other} is no other run with the labels and test images of {run}, so their accuracies cannot be "
            "compared; give a run that was trained on the same data."
        )


def _made(
    name: str, how: str, group: str, make: Callable[[], PackedModel], run: Path | None = None
) -> Variant | Failure:
    stage(f"Converting: {name}")
    try:
        packed = make()
    except EdgeRuntimeError as error:
        return Failure(name, group, str(error))
    return Variant(name, how, group, packed.model, packed.audit, run)


def _converted(run: Path, num_calibration: int, seed: int) -> PackedModel:
    source = read_run_directory(run)
    calibration = choose_calibration(source, num_calibration, seed)
    return open_integer(source, derive_spec(source, None), calibration, "uint8")


def _int16(source: Source, spec: ModelSpec, images: NDArray[np.uint8]) -> PackedModel:
    affine = quantize.find_input_affine(source)
    normalization = Normalization((affine.mean,), (affine.std,))
    packed = pack_model(quantize.to_int16_activations(source, images), spec, normalization)
    contract = dataclasses.replace(packed.model.contract, normalization=normalization)
    return dataclasses.replace(packed, model=dataclasses.replace(packed.model, contract=contract))
