"""What a conversion found, as JSON and Markdown; the page for people is in `conversion_page`."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from convert.measure.field_test import FieldTest
from convert.measure.gallery import Gallery
from convert.measure.gate import VerificationReport
from convert.measure.threshold import UnknownReport
from convert.report.field_section import describe_worst_scene
from convert.report.unknown_section import describe_acceptance
from convert.tflite.audit import AuditReport
from edge_runtime.contract import TensorSpec
from edge_runtime.metrics import wilson_interval


@dataclass(frozen=True)
class ConversionReport:
    """All figures of one conversion; sizes in bytes, ``max_drop`` in points, flatbuffer sizes without the appended
    parts. ``unknown``, ``gallery`` and ``field_test`` need labelled test images; ``training`` is the run's
    metrics.json.
    """

    name: str
    labels: tuple[str, ...]
    io: str
    max_drop: float
    float_bytes: int
    bytes_before_packing: int
    bytes_after_packing: int
    input_tensor: TensorSpec
    calibration_counts: dict[str, int]
    calibration_seed: int
    num_calibration_images: int
    audit: AuditReport
    verification: VerificationReport
    unknown: UnknownReport | None = None
    gallery: Gallery | None = None
    field_test: FieldTest | None = None
    training: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AccuracyRow:
    """One line of the accuracy table; rates in [0, 1]; ``drop`` and what follows are None for the float model."""

    model: str
    kernels: str
    accuracy: float
    interval: tuple[float, float]
    drop: float | None
    drop_interval: tuple[float, float] | None
    mcnemar_p: float | None
    agreement: float | None


def list_accuracies(report: ConversionReport) -> tuple[AccuracyRow, ...]:
    """The float model's row, then one for each interpreter."""
    verified = report.verification
    num = verified.num_images
    correct = verified.float_num_correct
    rows = [AccuracyRow("float32", "", correct / num, wilson_interval(correct, num), None, None, None, None)]
    for backend in verified.backends:
        rows.append(
            AccuracyRow(
                model=f"{report.io} on {backend.backend}",
                kernels=backend.kernels,
                accuracy=backend.num_correct / num,
                interval=wilson_interval(backend.num_correct, num),
                drop=backend.drop,
                drop_interval=backend.drop_interval,
                mcnemar_p=backend.mcnemar_p,
                agreement=backend.agreement,
            )
        )
    return tuple(rows)


def to_data(report: ConversionReport) -> dict[str, Any]:
    """The report as plain JSON values; numbers that are no numbers become null."""
    data: dict[str, Any] = _plain({**dataclasses.asdict(report), "passed": report.verification.passed})
    return data


def to_json_text(report: ConversionReport) -> str:
    """`to_data` as indented JSON, its keys sorted."""
    return json.dumps(to_data(report), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def to_markdown(report: ConversionReport) -> str:
    """A short Markdown table with the decision, for a terminal or a pull request."""
    verified = report.verification
    where = "held-out test images" if verified.tested else "calibration images (no labels or no test split)"
    lines = [
        f"# {report.name}: {'passed' if verified.passed else 'REFUSED'}",
        "",
        *(f"- {refusal}" for refusal in verified.refusals),
        *([""] if verified.refusals else []),
        f"{verified.num_images:,} {where}",
        "",
        "| model | accuracy | 95 % interval | drop (points) | 95 % interval | McNemar p | agreement |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in list_accuracies(report):
        if row.drop is None or row.drop_interval is None or row.agreement is None:
            cells = ["–"] * 4
        else:
            interval = f"{100 * row.drop_interval[0]:.2f} to {100 * row.drop_interval[1]:.2f}"
            cells = [f"{100 * row.drop:.2f}", interval, f"{row.mcnemar_p:.3g}", f"{row.agreement:.2%}"]
        accuracy = [f"{row.accuracy:.2%}", f"{row.interval[0]:.2%} to {row.interval[1]:.2%}"]
        lines.append("| " + " | ".join([row.model, *accuracy, *cells]) + " |")
    audit = report.audit
    if report.unknown is not None:
        lines += ["", describe_acceptance(report.unknown)]
    if report.field_test is not None:
        lines += ["", describe_worst_scene(report.field_test)]
    lines += [
        "",
        f"The interpreters agree on {verified.backend_agreement:.2%} of the images.",
        f"{audit.parameters:,} parameters, {audit.macs:,} MACs, "
        f"{report.bytes_before_packing:,} bytes as converted, {report.bytes_after_packing:,} packed with metadata.",
    ]
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value != value:
        return None
    return value
