"""The measured tables of docs/zoo/README.md, each made by a function that measures and returns Markdown."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from convert.measure.latency import time_models
from convert.measure.processor import read_processor_name
from convert.output.page import render_markdown_table
from convert.pack import pack_file
from convert.tflite.audit import audit
from edge_runtime.contract import InputSpec
from edge_runtime.inference.interpreter import Interpreter, list_available_backends
from edge_runtime.model.model_file import ModelFile, open_model
from edge_runtime.store.shipped import list_shipped_models

ROOT = Path(__file__).parents[3]
# MLPerf Tiny's own files for image classification: what the zoo is measured against.
SHARED = Path(os.environ.get("YARDSTICKS") or ROOT.parent / "shared" / "data" / "models")
YARDSTICKS = {
    "MLPerf Tiny ResNet-8": SHARED / "pretrainedResnet_quant.tflite",
    "MLPerf Tiny, large": SHARED / "pretrainedResnet_large_int8.tflite",
}
ROW, CPU, NUM_PICTURES = "bookworm-arm64-litert", "cortex-a72", 40
NAMES = {"litert": "LiteRT", "tflite": "tflite-runtime"}


def zoo() -> dict[str, ModelFile]:
    """The shipped models by their own names."""
    files = map(open_model, list_shipped_models().values())
    return {file.contract.spec.name: file for file in files}


def flatbuffers() -> dict[str, bytes]:
    """The yardsticks first, then the zoo."""
    others = {name: path.read_bytes() for name, path in YARDSTICKS.items()}
    return {**others, **{name: file.flatbuffer for name, file in zoo().items()}}


def models_table() -> str:
    """What each file costs and how often it is right on all 10,000 test images; the yardsticks are scored here."""
    from train.datasets import open_dataset

    rows = []
    for name, file in zoo().items():
        scores = {score.backend: f"{score.accuracy:.2%}" for score in file.contract.scores}
        rows.append([f"[{name}]({name}.md)", *_costs(file.flatbuffer), *scores.values()])
    test = open_dataset("cifar10", None, InputSpec(32, 32), 0).test
    for name, path in YARDSTICKS.items():
        found = [
            _accuracy(path.read_bytes(), backend, test.images, test.labels) for backend in list_available_backends()
        ]
        rows.append([name, *_costs(path.read_bytes()), "–", *(f"{rate:.2%}" for rate in found)])
    head = ["model", "parameters", "MACs", "bytes", "float", *(f"int8, {NAMES[b]}" for b in list_available_backends())]
    return render_markdown_table(head, rows)


def _costs(flatbuffer: bytes) -> list[str]:
    found = audit(flatbuffer)
    return [f"{found.parameters:,}", f"{found.macs / 1e6:.2f} M", f"{len(flatbuffer):,}"]


def _accuracy(flatbuffer: bytes, backend: str, images: np.ndarray, labels: np.ndarray) -> float:
    """Of a file that takes raw pixels - 128 as int8; ``images`` (n, 32, 32, 3) uint8 RGB."""
    interpreter = Interpreter(flatbuffer, backend)
    inputs = (images.astype(np.int16) - 128).astype(np.int8)
    return float(np.mean([interpreter.invoke(image).argmax() for image in inputs] == labels))


def packing_table(mediapipe: Sequence[Path]) -> str:
    """What packing saves; `pack_file` refuses outputs that differ in a byte. Every Python of ``mediapipe`` says
    whether its ImageClassifier treats the packed file as it does the original.
    """
    rows = []
    for path in list_shipped_models().values():
        file = open_model(path)
        saving = _saving(file.contract.provenance["flatbuffer_bytes"]["before_packing"], len(file.flatbuffer))
        verdicts = [_mediapipe(python, [path]) for python in mediapipe]
        rows.append([f"{file.contract.spec.name}, by `make convert`", *saving, "–", *verdicts])
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(SHARED.glob("*.tflite")):
            content = path.read_bytes()
            packed, report = pack_file(content, path.name)
            short, shorter = pack_file(content, path.name, short_names=True)
            copies = [Path(folder) / path.name, Path(folder) / f"short-{path.name}"]
            for copy, data in zip(copies, (packed, short), strict=True):
                copy.write_bytes(data)
            verdicts = [_mediapipe(python, [path, *copies]) for python in mediapipe]
            names = f"{shorter.bytes_after:,} ({shorter.saved:.1%})"
            rows.append([path.stem, *_saving(report.bytes_before, report.bytes_after), names, *verdicts])
    heads = [f"MediaPipe {_mediapipe_version(python)}" for python in mediapipe]
    return render_markdown_table(["file", "bytes", "packed", "saved", "with short names (saved)", *heads], rows)


def _saving(before: int, after: int) -> list[str]:
    return [f"{before:,}", f"{after:,}", f"{1 - after / before:.1%}"]


_LOAD = """
import sys
from mediapipe.tasks.python import vision
from mediapipe.tasks.python.core.base_options import BaseOptions
for path in sys.argv[1:]:
    try:
        options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=path))
        vision.ImageClassifier.create_from_options(options).close()
        print("loads")
    except (RuntimeError, ValueError, OSError) as error:
        print("refused:", str(error).splitlines()[0])
"""


def _mediapipe(python: Path, files: Sequence[Path]) -> str:
    done = subprocess.run([str(python), "-c", _LOAD, *map(str, files)], capture_output=True, text=True, check=True)
    original, *packed = done.stdout.splitlines()
    if any(line != original for line in packed):
        return f"**{original}, packed: {', '.join(packed)}**"
    return ("loads" if original == "loads" else "refuses it") + (", as before" if packed else "")


def _mediapipe_version(python: Path) -> str:
    command = [str(python), "-c", "from importlib.metadata import version; print(version('mediapipe'))"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def arm_table(cache: Path) -> str:
    """Instructions per image on the emulated device, LiteRT, one thread; ``cache`` holds the device's root.

    Raises:
        SystemExit: this machine cannot emulate, or the emulated program failed.
    """
    from tests.tools.device.emulator import Device, build_counter
    from tests.tools.device.root import make_roots, missing_tools, site_of
    from tests.tools.device.rows import row_named

    reason = missing_tools()
    if reason:
        raise SystemExit(f"nothing emulated: {reason}")
    row, models = row_named(ROW), flatbuffers()
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        work = Path(folder)
        paths = [work / f"{number}.tflite" for number in range(len(models))]
        for path, content in zip(paths, models.values(), strict=True):
            path.write_bytes(content)
        root = make_roots([row], cache, work)[row.name]
        device = Device(row, root, CPU, (ROOT, site_of(row, root)), work)
        try:
            script = Path(__file__).with_name("invokes.py")
            done = device.run(script, row.backend, str(NUM_PICTURES), *paths, counting=build_counter(work))
        finally:
            device.close()
    if done.exit_code or len(done.counts) != 2 * len(models):
        raise SystemExit(f"counting ended with {done.exit_code} and {len(done.counts)} marks: {done.err[-500:]}")
    (kernels,) = set(json.loads(done.out).values())
    per_picture = {
        name: (end - begin) / NUM_PICTURES
        for name, (begin, end) in zip(models, zip(done.counts[::2], done.counts[1::2], strict=True), strict=True)
    }
    head = ["model", "M instructions a picture", *(f"x {name}" for name in YARDSTICKS)]
    return f"{kernels}, emulated {CPU}.\n\n" + render_markdown_table(
        head, [[name, f"{count / 1e6:.2f}", *_ratios(count, per_picture)] for name, count in per_picture.items()]
    )


def _ratios(value: float, every: Mapping[str, float]) -> list[str]:
    return [f"{value / every[name]:.2f}" for name in YARDSTICKS]


def x86_table() -> str:
    """Milliseconds per image on this machine, one thread, the models taking turns; ratios of medians."""
    timings, _ = time_models(flatbuffers(), (1,), 15.0)
    rows = []
    for backend in list_available_backends():
        medians = {timing.model: timing.p50_ms for timing in timings if timing.backend == backend}
        for timing in timings:
            if timing.backend == backend:
                cells = [timing.model, timing.kernels, f"{timing.p50_ms:.3f}", f"{timing.p95_ms:.3f}", str(timing.runs)]
                rows.append([*cells, *_ratios(timing.p50_ms, medians)])
    head = ["model", "kernels", "ms, median", "ms, p95", "pictures", *(f"x {name}" for name in YARDSTICKS)]
    return f"{read_processor_name()}.\n\n" + render_markdown_table(head, rows)
