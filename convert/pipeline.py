"""The stages of one conversion in their order: read, calibrate, convert, pack, audit, verify, choose goldens, write.

Nothing is written before everything was checked; a refused model leaves its report, but no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convert.config import ConvertConfig
from convert.converter import quantize
from convert.converter.contract import expect_whole_range, finished, provenance, spec_of_file, unverified
from convert.converter.golden_frames import choose_goldens
from convert.inputs.calibration import Calibration, choose_calibration
from convert.inputs.keras_file import read_keras_file
from convert.inputs.run_directory import read_run_directory
from convert.inputs.source import ImageEntry, Source
from convert.measure.gallery import gallery
from convert.measure.gate import FLOAT, score, verification
from convert.measure.unknown import metrics_of, preferred, threshold_fit, unknown_report, with_threshold
from convert.output.atomic import refuse_to_overwrite, write_atomically
from convert.output.progress import stage
from convert.report.conversion import ConversionReport, to_json_text
from convert.report.conversion_page import to_html
from convert.tflite.audit import AuditReport, audit
from convert.tflite.metadata import with_metadata
from convert.tflite.names import layer_name
from convert.tflite.packing import differences, differing_outputs, pack
from edge_runtime.contract import ModelSpec, Score
from edge_runtime.errors import ConfigurationError, ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import available_backends
from edge_runtime.model.model_file import ModelFile, write_model
from edge_runtime.system.quiet_start import quiet_start


@dataclass(frozen=True)
class ConversionResult:
    """``path`` is the written file, None when the gate refused it; the report pages are written either way."""

    path: Path | None
    report: ConversionReport
    report_json: Path
    report_html: Path


@dataclass(frozen=True)
class IntegerFile:
    """The packed flatbuffer with its metadata; ``bytes_before`` is its size before packing."""

    flatbuffer: bytes
    bytes_before: int
    audit: AuditReport


def convert(config: ConvertConfig) -> ConversionResult:
    """Converts, verifies and writes one model as ``config`` says.

    Raises: an `EdgeRuntimeError` that says which input is wrong. A refusal by the gate is no error but a result
    without a path.
    """
    if not available_backends():
        raise ConfigurationError("No interpreter is installed, so nothing can be verified. Install ai-edge-litert.")
    if config.out is not None:
        refuse_to_overwrite(config.out, force=config.force)
    source = read_source(config)
    spec = spec_of_file(source, config.name)
    out = config.out or Path("build") / f"{spec.name}.tflite"
    refuse_to_overwrite(out, force=config.force)
    calibration = choose_calibration(source, config.num_calibration_images, config.seed)
    stage(f"Calibrating on {len(calibration.entries)} images")
    integer = integer_file(source, spec, calibration, config.io)
    float_file = quantize.to_float(source)
    models = {FLOAT: unverified(float_file, spec), "integer": unverified(integer.flatbuffer, spec)}
    classifiers = open_classifiers(models[FLOAT], models["integer"])
    fit = threshold_fit(config, source, classifiers)
    threshold = fit.threshold if fit else config.threshold or 0.0
    models["integer"] = with_threshold(models["integer"], threshold)
    entries = source.test or source.calibration
    scores = score(classifiers, entries, f"Verifying {spec.name}")
    verified = verification(scores, classifiers, entries, integer.audit, config.max_drop, held_out=bool(source.test))
    report = ConversionReport(
        name=spec.name,
        labels=spec.labels,
        io=config.io,
        max_drop=config.max_drop,
        float_bytes=len(float_file),
        bytes_before_packing=integer.bytes_before,
        bytes_after_packing=len(integer.flatbuffer),
        input_tensor=models["integer"].contract.input_tensor,
        calibration_counts=calibration.counts(spec.labels),
        calibration_seed=config.seed,
        num_calibration_images=len(calibration.entries),
        audit=integer.audit,
        verification=verified,
        unknown=unknown_report(config, fit, threshold, classifiers, (entries, scores)) if verified.tested else None,
        gallery=gallery(scores[preferred(classifiers)], entries, spec.labels) if verified.tested else None,
        training=metrics_of(source),
    )
    page, data = out.with_suffix(".report.html"), out.with_suffix(".report.json")
    if verified.passed:
        content = _file_content(config, source, calibration, models["integer"], report, (classifiers, entries, scores))
    write_atomically(data, to_json_text(report).encode(), force=True)
    write_atomically(page, to_html(report, _thumbnails(report, entries)).encode(), force=True)
    if verified.passed:
        write_atomically(out, content, force=config.force)
    return ConversionResult(out if verified.passed else None, report, data, page)


def read_source(config: ConvertConfig) -> Source:
    """The trained model that ``config`` names, from a run directory or a `.keras` file."""
    if config.foreign is not None:
        return read_keras_file(config.source, config.foreign, config.name)
    return read_run_directory(config.source)


def integer_file(source: Source, spec: ModelSpec, calibration: Calibration, io_dtype: str) -> IntegerFile:
    """The full-integer flatbuffer with its metadata, packed; that packing changed nothing was checked tensor by tensor
    and by running both.

    Raises:
        ModelError: the converter or the packer failed, or the input tensor is not the normalisation that training used.
    """
    converted = quantize.to_integer(source, calibration.images, io_dtype)
    affine = quantize.input_affine(source)
    expect_whole_range(converted, affine.mean, affine.std)
    normalization = unverified(converted, spec).contract.normalization
    described = with_metadata(converted, spec.name, normalization)
    packed = pack(described, layer_name)
    changed = differences(described, packed, names=False) or differing_outputs(converted, packed)
    if changed:
        raise ModelError(
            f"The packed model differs from the converted one: {changed[0]}. This is a defect of the packer."
        )
    return IntegerFile(packed, len(converted), audit(packed))


def open_classifiers(float_model: ModelFile, integer_model: ModelFile) -> dict[str, Classifier]:
    """The float model on the preferred interpreter, and the integer model on each that is installed, by name."""
    with quiet_start():
        integer = {backend: Classifier(integer_model, backend=backend) for backend in available_backends()}
        return {FLOAT: Classifier(float_model), **integer}


def _file_content(
    config: ConvertConfig,
    source: Source,
    calibration: Calibration,
    model: ModelFile,
    report: ConversionReport,
    scored: tuple[dict[str, Classifier], Sequence[ImageEntry], dict[str, object]],
) -> bytes:
    classifiers, entries, scores = scored
    integer = {name: classifier for name, classifier in classifiers.items() if name != FLOAT}
    stage("Choosing golden frames")
    goldens = choose_goldens(integer, entries, {name: scores[name] for name in integer}, calibration.entries)
    verified = report.verification
    figures = [Score(FLOAT, verified.float_num_correct, verified.num_images)]
    figures += [Score(backend.backend, backend.num_correct, verified.num_images) for backend in verified.backends]
    sizes = {"before_packing": report.bytes_before_packing, "after_packing": report.bytes_after_packing}
    made_by = provenance(config, source, calibration, sizes)
    contract = finished(model, tuple(figures) if verified.tested else (), made_by)
    return write_model(model.flatbuffer, contract, goldens)


def _thumbnails(report: ConversionReport, entries: Sequence[ImageEntry]) -> dict[str, object]:
    """The pictures that the page shows by name, (h, w, 3) uint8 BGR."""
    wanted = {flip.image for backend in report.verification.backends for flip in backend.flips}
    if report.gallery is not None:
        wanted |= {item.image for item in (*report.gallery.mistakes, *report.gallery.least_sure)}
    return {entry.name: entry.read() for entry in entries if entry.name in wanted}
