"""The results of a conversion, as one value; `conversion_text` and `conversion_page` present them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from convert.converter.range_choice import RangeChoice
from convert.measure.field_test import FieldTest
from convert.measure.gallery import Gallery
from convert.measure.gate import VerificationReport
from convert.measure.image_time import ImageTime
from convert.measure.label_order import LabelOrder
from convert.measure.normalization_check import BetterNormalization
from convert.measure.threshold import UnknownReport
from convert.output.page import count
from convert.tflite.audit import AuditReport
from edge_runtime.contract import TensorSpec
from edge_runtime.metrics import wilson_interval


@dataclass(frozen=True)
class ConversionReport:
    """All figures of one conversion; sizes in bytes, ``max_drop`` in points, flatbuffer sizes without the appended
    parts; ``file_bytes`` is the size of the whole ``file``, None when none was written. ``unknown``, ``gallery`` and
    ``field_test`` need labelled test images; ``training`` is the run's metrics.json, and ``size`` the size in which it
    was trained, empty where there are no sizes. ``label_order`` and ``normalization`` are set when another one fits far
    better, ``ranges`` when narrower ones were tried.
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
    source: str = ""
    file: str = ""
    file_bytes: int | None = None
    size: str = ""
    image_time: ImageTime | None = None
    label_order: LabelOrder | None = None
    normalization: BetterNormalization | None = None
    ranges: RangeChoice | None = None


@dataclass(frozen=True)
class AccuracyRow:
    """One row of the accuracy table; rates in [0, 1]; ``drop`` and the fields after it are None for the float model."""

    model: str
    kernels: str
    accuracy: float
    interval: tuple[float, float]
    drop: float | None
    drop_interval: tuple[float, float] | None
    mcnemar_p: float | None
    agreement: float | None


def name_rate(report: ConversionReport) -> str:
    """What the rates of `list_accuracies` are: without held-out labels the float model's answers replace the labels."""
    return "accuracy" if report.verification.tested else "same answer as float32"


def describe_ranges(choice: RangeChoice | None) -> str:
    """How far the ranges of the inner tensors reach and why, in a sentence or two."""
    if choice is None:
        return "The ranges of the inner tensors hold all that calibration gave."
    did = "leave out" if choice.narrowed else "hold all that calibration gave, including"
    taken, left = (choice.narrower, choice.whole) if choice.narrowed else (choice.whole, choice.narrower)
    images = f"{count(choice.num_images, 'calibration image')}{' kept for this' if choice.held_out else ''}"
    return (
        f"The ranges of the inner tensors {did} the few values furthest out: on {images} the scores are "
        f"{taken.difference:.3f} off float32's and {taken.agreement:.1%} of the labels agree; the other choice gives "
        f"{left.difference:.3f} and {left.agreement:.1%}."
    )


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
