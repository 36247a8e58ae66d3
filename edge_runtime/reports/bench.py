"""Times each stage between a frame and its label, for every backend and thread count asked for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.cameras.sources.synthetic import draw_wave_image
from edge_runtime.contract import Region
from edge_runtime.errors import UsageError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.inference.postprocess import predict, probabilities
from edge_runtime.live.results import Percentiles
from edge_runtime.live.timings import Timings
from edge_runtime.model.model_file import ModelFile
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image
from edge_runtime.pixels.shrink import decode_shrunk
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.memory import measure_pss_mb

WARM_UP = 10


@dataclass(frozen=True)
class BenchConfig:
    """Empty ``backends`` means every installed one; ``image`` is an encoded image, None for a 640x480 pattern; only its
    ``region`` is classified, None for all of it.
    """

    threads: tuple[int, ...] = (1, 2, 4)
    backends: tuple[str, ...] = ()
    runs: int = 200
    image: bytes | None = None
    image_name: str = "a 640x480 pattern"
    region: Region | None = None

    def __post_init__(self) -> None:
        if not self.threads or any(not 1 <= count <= 64 for count in self.threads):
            raise UsageError(f"`threads` is {self.threads}, expected numbers from 1 to 64 such as 1,2,4.")
        if self.runs < 1:
            raise UsageError(f"`runs` is {self.runs}, expected at least 1.")


@dataclass(frozen=True)
class BenchRow:
    """Milliseconds of every stage for one backend and thread count; ``total`` is a whole `classify` call, timed
    separately.
    """

    kernels: str
    version: str
    threads: int
    runs: int
    stages: dict[str, Percentiles]


@dataclass(frozen=True)
class BenchReport:
    """All rows for one ``model`` and the ``frame`` that was timed; ``memory_mb`` in 10^6 bytes, None if unknown."""

    model: str
    frame: str
    rows: tuple[BenchRow, ...]
    memory_mb: float | None


def bench(model: ModelFile, config: BenchConfig) -> BenchReport:
    """Runs all combinations one after another; raises as `Classifier` for an interpreter that cannot be loaded."""
    opencv_threads = cv2.getNumThreads()
    try:
        rows = tuple(
            _row(model, backend, threads, config)
            for backend in config.backends or list_available_backends() or ("auto",)  # "auto" says what to install
            for threads in config.threads
        )
    finally:
        cv2.setNumThreads(opencv_threads)
    return BenchReport(model.contract.spec.name, config.image_name, rows, measure_pss_mb())


def make_bench_object(report: BenchReport) -> dict[str, Any]:
    """The report as a JSON object; times in milliseconds."""
    return {"v": 1, "type": "bench", **dataclasses.asdict(report)}


def format_bench(report: BenchReport) -> str:
    """The report as a table of milliseconds."""
    lines = [f"{report.model} on {report.frame}, milliseconds", ""]
    for row in report.rows:
        lines.append(
            f"{row.kernels} {row.version}, {row.threads} thread{'s' if row.threads > 1 else ''}, {row.runs} runs"
        )
        lines.append(f"{'':>14} {'p50':>9} {'p95':>9} {'p99':>9}")
        for stage, values in row.stages.items():
            lines.append(f"{stage:>14} {values.p50:9.3f} {values.p95:9.3f} {values.p99:9.3f}")
        lines.append("")
    memory = "unknown" if report.memory_mb is None else f"{report.memory_mb:.0f} MB"
    return "\n".join([*lines, f"memory of this process: {memory}"])


def _row(model: ModelFile, backend: str, threads: int, config: BenchConfig) -> BenchRow:
    cv2.setNumThreads(threads)
    timings = Timings(max(config.runs, 1))
    with Classifier(model, threads=threads, backend=backend, region=config.region) as classifier:
        frame = _frame(config, classifier)
        for run in range(-WARM_UP, config.runs):
            durations = _one_run(classifier, frame, config)
            if run >= 0:
                for stage, duration_s in durations.items():
                    timings.add(stage, duration_s * 1e3)
        return BenchRow(
            classifier.interpreter.kernels, classifier.interpreter.version, threads, config.runs, timings.summary()
        )


def _one_run(classifier: Classifier, frame: Image, config: BenchConfig) -> dict[str, float]:
    contract = classifier.contract
    times = [monotonic_s()]
    if config.image is not None:
        frame = decode_shrunk(config.image, config.image_name, classifier.input_spec)
        times.append(monotonic_s())
    input_tensor = classifier.input_tensor(frame)
    times.append(monotonic_s())
    stored = classifier.interpreter.invoke(input_tensor)
    times.append(monotonic_s())
    predict(probabilities(stored, contract), contract.spec.labels, contract.threshold)
    times.append(monotonic_s())
    classifier.classify(frame)
    times.append(monotonic_s())
    names = (["decode"] if config.image is not None else []) + ["preprocess", "invoke", "postprocess", "total"]
    return dict(zip(names, np.diff(times).tolist(), strict=True))


def _frame(config: BenchConfig, classifier: Classifier) -> Image:
    if config.image is not None:
        return decode_shrunk(config.image, config.image_name, classifier.input_spec)
    return draw_wave_image(480, 640)
