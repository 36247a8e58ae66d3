"""What a model file says about itself and the result of its self-test, for people and as JSON."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from edge_runtime.contract import Contract, TensorSpec
from edge_runtime.model.model_file import ModelFile

if TYPE_CHECKING:  # describing a file does not need OpenCV
    from edge_runtime.inference.selftest import SelftestReport


def make_info_object(model: ModelFile) -> dict[str, Any]:
    """The contract as a JSON object, with the file's path, its sizes and what had to be assumed."""
    return {
        "v": 1,
        "type": "info",
        "path": str(model.path) if model.path else None,
        "flatbuffer_bytes": len(model.flatbuffer),
        "goldens": len(model.goldens.images) if model.goldens else 0,
        "assumptions": list(model.assumptions),
        **dataclasses.asdict(model.contract),
    }


def format_info(model: ModelFile) -> str:
    """A table of the model's input, its output and its accuracy."""
    contract = model.contract
    spec = contract.spec
    size = f"{spec.input.width}x{spec.input.height}"
    labels = ", ".join(spec.labels[:10]) + (f", ... ({len(spec.labels)} in all)" if len(spec.labels) > 10 else "")
    rows = [
        ("model", spec.name),
        ("file", f"{model.path or 'in memory'}, {len(model.flatbuffer):,} bytes of flatbuffer"),
        (
            "input",
            f"{size} {_channels(contract)}, resize: {spec.input.resize}, {_tensor(contract.input_tensor)}",
        ),
        ("normalised", f"(pixel - {_numbers(contract.normalization.mean)}) / {_numbers(contract.normalization.std)}"),
        ("output", f"{len(spec.labels)} {spec.output}, {_tensor(contract.output_tensor)}"),
        ("labels", labels),
        ("unknown below", _thresholds(contract)),
        ("unlike below", _similarity(contract)),
        ("drift", _drift(contract)),
    ]
    rows += [("region", f"{contract.region} of the camera's frame (X,Y,W,H)")] if contract.region else []
    rows += [
        ("accuracy", f"{100 * score.accuracy:.2f} % of {score.num_images} test images with {score.backend}")
        for score in contract.scores
    ]
    rows += [("accuracy", str(contract.provisional))] if contract.provisional else []
    adopted = contract.provenance.get("adopted")
    if isinstance(adopted, dict):
        rows += [("accuracy", "not measured"), ("adopted", f"from {adopted.get('file')}")]
    rows += [
        (
            "self-test",
            f"{len(model.goldens.images)} golden frames" if model.goldens else "no golden frames in the file",
        )
    ]
    rows += [("assumed", text) for text in model.assumptions]
    return "\n".join(f"{name:>14}  {value}" for name, value in rows)


def format_selftest(report: SelftestReport) -> str:
    """One line for the inputs, one for each set of kernels, and the failures."""
    lines = [f"inputs: {report.num_inputs_exact} of {report.num_frames} exact"]
    lines += [
        f"outputs of {check.kernels}: {check.num_passed} of {report.num_frames} pass, expected {check.rule}; "
        f"the largest difference is {check.largest_step:g}"
        for check in report.outputs
    ]
    return "\n".join([*lines, *report.failures, "passed" if report.passed else "FAILED"])


def _channels(contract: Contract) -> str:
    if contract.layout is None:
        return "RGB"
    return contract.layout.channels.upper() + (", channels first" if contract.layout.axes == "NCHW" else "")


def _thresholds(contract: Contract) -> str:
    by_label = [f"{label} below {value:g}" for label, value in sorted((contract.class_thresholds or {}).items())]
    return ", ".join([f"{contract.threshold:g}" if contract.threshold else "never", *by_label])


def _similarity(contract: Contract) -> str:
    found = contract.neighbours
    if found is None:
        return "never: the file carries no neighbours"
    if found.rank == 1 and not contract.provisional:
        return f"a cosine of {found.cut:.3f} to the nearest of {found.num_images} centres of the calibration images"
    images = "taught photos" if contract.provisional else "calibration images"
    return f"a cosine of {found.cut:.3f} to the nearest {found.rank} of {found.num_images} {images}"


def _drift(contract: Contract) -> str:
    found = contract.drift
    if found is None:
        return "not watched: the file carries no drift reference; " + (
            "train on more photos" if contract.provisional else "convert the model again"
        )
    return (
        f"watched against {found.num_images} images, with a usual score of {found.scores[len(found.scores) // 2]:.2f}"
    )


def _tensor(tensor: TensorSpec) -> str:
    if tensor.dtype == "float32":
        return "float32"
    return f"{tensor.dtype} with scale {tensor.scale:g} and zero point {tensor.zero_point}"


def _numbers(values: tuple[float, ...]) -> str:
    return (
        ", ".join(f"{value:g}" for value in values) if len(values) == 1 else f"({', '.join(f'{v:g}' for v in values)})"
    )
