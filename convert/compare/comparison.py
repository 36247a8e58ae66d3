"""Makes every variant of a run, scores them on the test split and times them: the work behind `convert.compare`."""

from __future__ import annotations

import dataclasses
import gzip
import shlex
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.compare.pruned_runs import Pruning
from convert.compare.rows import Accuracy, Comparison, Row
from convert.compare.variants import (
    FLOAT32,
    INT8_IO,
    PRUNED,
    UINT8_IO,
    Failure,
    Variant,
    convert_other,
    convert_pruned,
    expect_same_data,
    find_runs_on_same_data,
    make_variants,
)
from convert.config import ConvertConfig, ForeignModel
from convert.foreign_flags import to_flags
from convert.inputs.calibration import choose_calibration
from convert.inputs.source import ImageEntry, Source
from convert.measure.gate import Probabilities, compare_with_float, score_images
from convert.measure.latency import Incompatibility, Timing, find_incompatibility, time_models
from convert.measure.processor import read_processor_name
from convert.pipeline import read_source
from convert.tflite import schema
from edge_runtime.errors import ConfigurationError, ModelError, UsageError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.pixels.preprocess import Image

DEFAULT_CALIBRATION = ConvertConfig(Path("run")).num_calibration_images


@dataclass(frozen=True)
class CompareConfig:
    """``pruned`` and ``others`` are run directories; None means: make pruned copies, look beside ``run`` for others."""

    run: Path
    out: Path
    pruned: tuple[Path, ...] | None
    others: tuple[Path, ...] | None
    sparsities: tuple[int, ...] = (50, 75)
    pruning_epochs: int = 5
    data_path: Path | None = None
    num_calibration_images: int = DEFAULT_CALIBRATION
    seed: int = 0
    threads: tuple[int, ...] = (1, 2)
    seconds: float = 12.0
    force: bool = False
    foreign: ForeignModel | None = None

    def __post_init__(self) -> None:
        if not self.threads or min(self.threads) < 1:
            raise UsageError(f"--threads is {self.threads}, expected numbers of at least 1.")
        if self.seconds <= 0:
            raise UsageError(f"--seconds is {self.seconds}, expected a number above 0.")


def compare(config: CompareConfig) -> Comparison:
    """Makes, scores and times every variant.

    Raises: an `EdgeRuntimeError` that says which input is wrong; a variant that cannot be made is a line, not an error.
    """
    if not list_available_backends():
        raise ConfigurationError("No backend is installed, so nothing can be compared. Install ai-edge-litert.")
    source = read_source(ConvertConfig(config.run, foreign=config.foreign))
    if not source.test:
        raise UsageError(f"{config.run} comes without test images, which variants are compared on. Give --test DIR.")
    for path in config.others or ():
        expect_same_data(config.run, source, path)
    pruning = None
    if config.pruned is None:
        pruning = Pruning(config.run, config.out.parent, config.sparsities, config.pruning_epochs, config.data_path)
    try:
        made = _make_variants(config, source, pruning)
    finally:
        if pruning is not None:
            pruning.stop()
    variants = [item for item in made if isinstance(item, Variant)]
    failures = [item for item in made if isinstance(item, Failure)]
    if variants[:1] == [] or variants[0].name != FLOAT32:
        raise ModelError(
            f"{config.run} has no float32 variant ({failures[0].reason}), so nothing can be compared with it."
        )
    incompatible = _find_incompatible(variants)
    scores = _scores(variants, incompatible, source.test)
    timings, _ = time_models({v.name: v.model.flatbuffer for v in variants}, config.threads, config.seconds)
    rows = [
        dataclasses.replace(_row(variant, scores, timings, incompatible, source), command=make_command(config, variant))
        for variant in variants
    ]
    return Comparison(
        run=config.run.name,
        num_images=len(source.test),
        num_calibration_images=config.num_calibration_images,
        backends=list_available_backends(),
        threads=config.threads,
        processor=read_processor_name(),
        rows=tuple(row for row in rows if row.accuracies),
        # A variant that no interpreter runs has no figures to compare, only reasons.
        failures=(*failures, *(Failure(row.name, row.group, _reasons(row)) for row in rows if not row.accuracies)),
    )


def make_command(config: CompareConfig, variant: Variant) -> str:
    """The command that writes ``variant`` for a device, "" if it is not full integer or belongs to another run."""
    flags: list[str] = []
    if config.foreign is not None and variant.run is None:
        flags = to_flags(config.foreign)
    if variant.name == INT8_IO:
        flags += ["--io", "int8"]
    elif variant.name != UINT8_IO and variant.run is None:
        return ""
    return shlex.join(["python", "-m", "convert", str(variant.run or config.run), *flags])


def _make_variants(config: CompareConfig, source: Source, pruning: Pruning | None) -> list[Variant | Failure]:
    calibration = choose_calibration(source, config.num_calibration_images, config.seed)
    made = make_variants(source, calibration)
    others = config.others
    if others is None:
        beside = sorted(path for path in config.run.parent.iterdir() if path.is_dir())
        beside = [path for path in beside if "-pruned" not in path.name]
        others = tuple(find_runs_on_same_data(config.run, source, beside))
    made += [convert_other(path, config.num_calibration_images, config.seed) for path in others]
    copies: dict[str, Path | str] = {path.name: path for path in config.pruned or ()}
    if pruning is not None:
        copies = {f"{percent} %": found for percent, found in pruning.wait().items()}
    for name, found in copies.items():
        if isinstance(found, str):
            made.append(Failure(f"pruned {name}", PRUNED, found))
        else:
            made.append(convert_pruned(found, name, config.num_calibration_images, config.seed))
    return made


def _find_incompatible(variants: Sequence[Variant]) -> tuple[Incompatibility, ...]:
    found = []
    for variant in variants:
        for backend in list_available_backends():
            reason = find_incompatibility(variant.model.flatbuffer, backend)
            if reason is not None:
                found.append(Incompatibility(variant.name, backend, reason))
    return tuple(found)


def _scores(
    variants: Sequence[Variant], incompatible: Sequence[Incompatibility], entries: Sequence[ImageEntry]
) -> dict[tuple[str, str], Probabilities]:
    """(n, classes) probabilities by (variant, backend), in two threads: the interpreters release Python's lock."""
    unable = {(item.model, item.backend) for item in incompatible}
    wanted = [
        (v, backend) for v in variants for backend in list_available_backends() if (v.name, backend) not in unable
    ]
    classifiers = {(v.name, backend): Classifier(v.model, backend=backend) for v, backend in wanted}
    frame = entries[0].read()
    cost = {key: _call_cost(classifier, frame) for key, classifier in classifiers.items()}
    halves: tuple[dict[str, Classifier], dict[str, Classifier]] = ({}, {})
    totals = [0.0, 0.0]
    for key in sorted(cost, key=lambda key: -cost[key]):
        half = int(totals[1] < totals[0])
        halves[half]["\0".join(key)] = classifiers[key]
        totals[half] += cost[key]
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(score_images, half, entries, f"Scoring, part {number + 1} of 2")
            for number, half in enumerate(halves)
            if half
        ]
        found: dict[str, Probabilities] = {}
        for job in jobs:
            found.update(job.result())
    return {(name, backend): value for key, value in found.items() for name, backend in [key.split("\0")]}


def _call_cost(classifier: Classifier, frame: Image) -> float:
    classifier.probabilities(frame)
    started_s = time.perf_counter()
    classifier.probabilities(frame)
    return time.perf_counter() - started_s


def _reasons(row: Row) -> str:
    return "; ".join(f"it does not run on {backend}: {reason}" for backend, reason in row.incompatible.items())


def _row(
    variant: Variant,
    scores: Mapping[tuple[str, str], Probabilities],
    timings: Sequence[Timing],
    incompatible: Sequence[Incompatibility],
    source: Source,
) -> Row:
    content, audit = variant.model.flatbuffer, variant.audit
    accuracies = []
    for backend in list_available_backends():
        mine, reference = scores.get((variant.name, backend)), scores.get((FLOAT32, backend))
        if mine is None or reference is None:
            continue
        found = compare_with_float(reference, mine, source.test, source.spec.labels, (backend, backend))
        report = found.report
        accuracies.append(
            Accuracy(
                backend,
                report.accuracy,
                report.accuracy_interval,
                report.macro_precision,
                report.macro_recall,
                report.macro_f1,
                found.drop,
                found.drop_interval,
                found.mcnemar_p,
                found.agreement,
            )
        )
    return Row(
        name=variant.name,
        how=variant.how,
        group=variant.group,
        file_bytes=len(content),
        gzip_bytes=len(gzip.compress(content, mtime=0)),
        parameters=audit.parameters,
        zeros=_zeros(content),
        macs=audit.macs,
        float_tensors=sum(count for dtype, count in audit.tensor_dtypes.items() if "float" in dtype),
        accuracies=tuple(accuracies),
        timings=tuple(row for row in timings if row.model == variant.name),
        incompatible={item.backend: item.reason for item in incompatible if item.model == variant.name},
    )


def _zeros(flatbuffer: bytes) -> float:
    """The share of stored weights (of matrices and kernels, not biases) that are zero."""
    tree = schema.read_tree(flatbuffer)
    zeros = total = 0
    for tensor in tree.subgraphs[0].tensors:
        content = schema.read_buffer(tree, tensor.buffer)
        dtype = schema.read_dtype(tensor)
        if content and dtype in ("int8", "float16", "float32") and tensor.shape is not None and len(tensor.shape) > 1:
            values = np.frombuffer(content, dtype)
            zeros, total = zeros + int((values == 0).sum()), total + values.size
    return zeros / max(1, total)
