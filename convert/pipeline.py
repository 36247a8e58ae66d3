"""The stages of one conversion in order: read, calibrate, convert, verify, choose goldens, write.

Each stage passes on all that it found, so nothing is loaded, parsed or opened twice. Nothing is written before
everything has been checked; a refused model leaves its report, but no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from convert.config import ConvertConfig
from convert.converter.contract import collect_provenance, complete_contract, derive_spec
from convert.converter.drift_reference import measure_drift_reference
from convert.converter.golden_frames import choose_goldens, count_frames
from convert.converter.opened import FloatModel, IntegerModel, open_float, open_integer
from convert.inputs.calibration import Calibration, choose_calibration
from convert.inputs.keras_file import read_keras_file
from convert.inputs.run_directory import read_run_directory
from convert.inputs.source import ImageEntry, Source
from convert.inputs.wrong_model import expect_keras_file
from convert.measure.field_test import run_field_test
from convert.measure.gallery import choose_gallery
from convert.measure.gate import FLOAT, Scored, VerificationReport, score_frames, verify
from convert.measure.image_time import time_images
from convert.measure.label_order import find_better_order
from convert.measure.normalization_check import find_better_normalization
from convert.measure.unknown import (
    Decision,
    choose_backend,
    decide_unknown,
    read_metrics,
    report_unknown,
    set_decision,
)
from convert.measure.where_it_looked import draw_where_it_looked
from convert.output.atomic import expect_room, write_atomically, write_text_atomically
from convert.output.page import count
from convert.output.progress import stage, with_progress
from convert.report.conversion import ConversionReport
from convert.report.conversion_page import to_html
from convert.report.conversion_text import to_json_text
from edge_runtime.contract import ModelSpec, Score
from edge_runtime.errors import ConfigurationError, UsageError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.model.model_file import write_model
from edge_runtime.pixels.preprocess import Image


@dataclass(frozen=True)
class ConversionResult:
    """``path`` is the written file, None when the gate refused it; the report pages are written either way."""

    path: Path | None
    report: ConversionReport
    report_json: Path
    report_html: Path


@dataclass(frozen=True, eq=False)
class Conversion:
    """The source, its float and its integer model, both opened, and the images that they are measured on."""

    config: ConvertConfig
    source: Source
    spec: ModelSpec
    calibration: Calibration
    floating: FloatModel
    integer: IntegerModel

    @property
    def classifiers(self) -> Mapping[str, Classifier]:
        """The float model as `FLOAT`, and the integer model by the name of each backend."""
        return {FLOAT: self.floating.classifier, **self.integer.classifiers}

    @property
    def entries(self) -> Sequence[ImageEntry]:
        """The held-out images, or what the model was calibrated on where there are none."""
        return self.source.test or self.source.calibration


@dataclass(frozen=True, eq=False)
class Measured:
    """A conversion with the scores of its classifiers, its limits for "unknown", and the gate's decision."""

    conversion: Conversion
    unknown: Decision
    scores: Scored
    verified: VerificationReport


def convert(config: ConvertConfig) -> ConversionResult:
    """Converts, verifies and writes one model as ``config`` says.

    Raises: an `EdgeRuntimeError` that says which input is wrong. A refusal by the gate is not an error but a result
    without a path.
    """
    if not list_available_backends():
        raise ConfigurationError("No backend is installed, so nothing can be verified. Install ai-edge-litert.")
    if config.out is not None:
        expect_room(config.out, force=config.force)
    source = read_source(config)
    spec = derive_spec(source, config.name)
    out = config.out or Path("build") / f"{spec.name}.tflite"
    expect_room(out, force=config.force)
    measured = _measure(_convert(config, source, spec))
    passed = measured.verified.passed
    content = _file_content(measured) if passed else None
    report = _report(measured, out, content)
    page, data = out.with_suffix(".report.html"), out.with_suffix(".report.json")
    if content is not None:
        write_atomically(out, content, force=config.force)
    write_text_atomically(data, to_json_text(report))
    images = _thumbnails(report, measured.conversion.entries)
    mistakes = [item.image for item in report.gallery.mistakes] if report.gallery is not None else []
    classifier = measured.conversion.classifiers[choose_backend(measured.conversion.classifiers)]
    looked = draw_where_it_looked(classifier, mistakes, images)
    write_text_atomically(page, to_html(report, images, looked))
    return ConversionResult(out if passed else None, report, data, page)


def read_source(config: ConvertConfig) -> Source:
    """The trained model that ``config`` names, from a run directory or a `.keras` file.

    Raises: as `read_keras_file` and `read_run_directory`.
    """
    if config.foreign is not None:
        return read_keras_file(config.source, config.foreign, config.name)
    if config.source.is_file() or (config.source / "saved_model.pb").is_file():
        expect_keras_file(config.source)
        raise UsageError(f"{config.source} holds a Keras model; name it .keras and give --labels and --calibration.")
    return read_run_directory(config.source)


def _convert(config: ConvertConfig, source: Source, spec: ModelSpec) -> Conversion:
    calibration = choose_calibration(source, config.num_calibration_images, config.seed)
    stage(f"Calibrating on {count(len(calibration.entries), 'image')}")
    integer = open_integer(source, spec, calibration, config.io)
    return Conversion(config, source, spec, calibration, open_float(source, spec), integer)


def _measure(conversion: Conversion) -> Measured:
    config, source, entries = conversion.config, conversion.source, conversion.entries
    classifiers, audited = conversion.classifiers, conversion.integer.audit
    unknown = decide_unknown(config, source, conversion.calibration, classifiers)
    frames = (entry.read() for entry in with_progress(entries, f"Verifying {conversion.spec.name}"))
    scores = score_frames(classifiers, frames, len(entries), unknown.table)
    probabilities = scores.probabilities
    verified = verify(probabilities, classifiers, entries, audited, config.max_drop, held_out=bool(source.test))
    return Measured(conversion, unknown, scores, verified)


def _report(measured: Measured, out: Path, content: bytes | None) -> ConversionReport:
    conversion, scores = measured.conversion, measured.scores
    config, spec, integer = conversion.config, conversion.spec, conversion.integer
    classifiers, entries, tested = conversion.classifiers, conversion.entries, measured.verified.tested
    unknown = gallery_shown = field_test = order = normalization = None
    if tested:
        unknown = report_unknown(config, conversion.source, measured.unknown, classifiers, (entries, scores))
        gallery_shown = choose_gallery(scores.probabilities[choose_backend(classifiers)], entries, spec.labels)
        order = find_better_order(measured.verified.backends[0].report.confusion, spec.labels)
    # With labels in the wrong order, whatever fits best does so by accident.
    if tested and config.foreign is not None and order is None:
        normalization = find_better_normalization(conversion.source)
    if tested and config.field_test:
        field_test = run_field_test(integer.classifiers, entries, measured.unknown.list_lowest(spec.labels))
    return ConversionReport(
        name=spec.name,
        labels=spec.labels,
        io=config.io,
        max_drop=config.max_drop,
        float_bytes=len(conversion.floating.model.flatbuffer),
        bytes_before_packing=integer.bytes_before_packing,
        bytes_after_packing=len(integer.model.flatbuffer),
        input_tensor=integer.model.contract.input_tensor,
        calibration_counts=conversion.calibration.counts(spec.labels),
        calibration_seed=config.seed,
        num_calibration_images=len(conversion.calibration.entries),
        audit=integer.audit,
        verification=measured.verified,
        unknown=unknown,
        gallery=gallery_shown,
        field_test=field_test,
        training=read_metrics(conversion.source),
        source=str(config.source),
        file=str(out),
        file_bytes=None if content is None else len(content),
        size=_read_size(conversion.source),
        image_time=time_images(classifiers[choose_backend(classifiers)]),
        label_order=order,
        normalization=normalization,
        ranges=integer.ranges,
    )


def _read_size(source: Source) -> str:
    """The size chosen for transfer learning: "tiny", "small" or "full"; empty for networks trained from scratch."""
    recipe = source.training.get("config", {}).get("recipe")
    scale = recipe.get("scale") if isinstance(recipe, Mapping) else None
    return str(scale.get("name", "")) if isinstance(scale, Mapping) else ""


def _file_content(measured: Measured) -> bytes:
    """The bytes of the file for devices: flatbuffer, contract with what was measured, and goldens."""
    conversion, verified = measured.conversion, measured.verified
    integer, calibration = conversion.integer, conversion.calibration
    stage("Choosing golden frames")
    scores = {name: measured.scores.probabilities[name] for name in integer.classifiers}
    table = measured.unknown.table
    num = count_frames(integer.audit.macs)
    goldens = choose_goldens(integer.classifiers, conversion.entries, scores, calibration.entries, table, num)
    figures = [Score(FLOAT, verified.float_num_correct, verified.num_images)]
    figures += [Score(backend.backend, backend.num_correct, verified.num_images) for backend in verified.backends]
    sizes = {"before_packing": integer.bytes_before_packing, "after_packing": len(integer.model.flatbuffer)}
    made_by = collect_provenance(conversion.config, conversion.source, calibration, sizes, integer.ranges)
    model = set_decision(integer.model, measured.unknown)
    contract = complete_contract(model, tuple(figures) if verified.tested else (), made_by, conversion.source.region)
    held_out, background = conversion.source.validation or conversion.source.test, conversion.source.background
    classifier = integer.classifiers[choose_backend(conversion.classifiers)]
    contract = replace(contract, drift=measure_drift_reference(classifier, table, held_out, background))
    return write_model(model.flatbuffer, contract, goldens, measured.unknown.rows)


def _thumbnails(report: ConversionReport, entries: Sequence[ImageEntry]) -> dict[str, Image]:
    """The images that the page shows by name, (h, w, 3) uint8 BGR."""
    wanted = {flip.image for backend in report.verification.backends for flip in backend.flips}
    if report.gallery is not None:
        wanted |= {item.image for item in (*report.gallery.mistakes, *report.gallery.least_sure)}
    return {entry.name: entry.read() for entry in entries if entry.name in wanted}
