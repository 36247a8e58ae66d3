"""Times models against each other in one process: they take turns, so that a slow moment of the machine hits them all.

One call is one image: input tensor in, output tensor out, without reading or resizing. A .keras file is timed as the
int8 model that it would become, so that a network's time is known before it is trained. Usage:
python -m convert.measure.latency FILE...
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.output.progress import with_progress
from edge_runtime.cli.verb_parser import VerbParser
from edge_runtime.contract import InputSpec, ModelSpec
from edge_runtime.errors import EdgeRuntimeError, UsageError
from edge_runtime.inference.interpreter import BACKENDS, Interpreter, list_available_backends
from edge_runtime.metrics import percentiles
from edge_runtime.model.model_file import open_model
from edge_runtime.system.command import run_command

MIN_ROUNDS, MAX_ROUNDS = 30, 1000
_SLOW = 4.0  # a model that takes longer than this many medians takes part in fewer rounds
_WARM_UP = 5
_SPIN_S = 0.004  # other interpreters' threads keep a core busy this long; between camera frames they sleep as well


@dataclass(frozen=True)
class Timing:
    """One model on one backend: milliseconds per call; ``ratio`` to the first model: the median over shared rounds."""

    model: str
    backend: str
    kernels: str
    threads: int
    runs: int
    p50_ms: float
    p95_ms: float
    ratio: float


@dataclass(frozen=True)
class Incompatibility:
    """A backend that cannot run a model, and why."""

    model: str
    backend: str
    reason: str


def time_models(
    flatbuffers: Mapping[str, bytes], threads: Sequence[int] = (1, 2), seconds: float = 10.0
) -> tuple[tuple[Timing, ...], tuple[Incompatibility, ...]]:
    """Times every model on every installed backend and thread count, about ``seconds`` for each backend and count.

    The ratios refer to the first model.
    """
    timings: list[Timing] = []
    incompatible: list[Incompatibility] = []
    for backend in list_available_backends():
        runs = {}
        for name, flatbuffer in flatbuffers.items():
            reason = find_incompatibility(flatbuffer, backend)
            if reason is None:
                runs[name] = flatbuffer
            else:
                incompatible.append(Incompatibility(name, backend, reason))
        for count in threads:
            timings += _interleaved(runs, backend, count, seconds)
    return tuple(timings), tuple(incompatible)


def find_incompatibility(flatbuffer: bytes, backend: str) -> str | None:
    """Why ``backend`` cannot run the model; None when it can."""
    try:
        interpreter = Interpreter(flatbuffer, backend)
        interpreter.invoke(np.zeros(interpreter.input.shape[1:], interpreter.input.dtype))
    except (EdgeRuntimeError, RuntimeError, ValueError) as error:
        return " ".join(str(error).split())
    return None


def load_flatbuffer(path: Path) -> bytes:
    """The model in a .tflite file; for a .keras file the int8 model calibrated on noise, which takes the same time as
    one calibrated on images.

    Raises:
        MissingInputError: there is no such file.
        ModelError: it is not such a model.
    """
    if path.suffix != ".keras":
        return open_model(path).flatbuffer
    from convert.converter.quantize import to_integer
    from convert.inputs.answers import find_meaning
    from convert.inputs.keras_model import KerasFile, inspect_file
    from convert.inputs.source import Source

    file = KerasFile(path)
    found = inspect_file(file)
    labels = tuple(map(str, range(found.num_classes)))
    size = InputSpec(found.height, found.width)
    noise = np.random.default_rng(0).integers(0, 256, (2, size.height, size.width, 3), np.uint8)
    meaning = find_meaning(file.network, noise.astype(np.float32), path)
    return to_integer(Source(file, ModelSpec(path.stem, labels, size, meaning), (), (), {}), noise)


def _interleaved(flatbuffers: Mapping[str, bytes], backend: str, threads: int, seconds: float) -> list[Timing]:
    if not flatbuffers:
        return []
    interpreters = {name: Interpreter(content, backend, threads) for name, content in flatbuffers.items()}
    random = np.random.default_rng(0)
    inputs = {name: _random_input(interpreter, random) for name, interpreter in interpreters.items()}
    first_ms = {
        name: min(_call_ms(interpreter, inputs[name]) for _ in range(3)) for name, interpreter in interpreters.items()
    }
    usual_ms = statistics.median(first_ms.values())
    names, reference = list(interpreters), next(iter(interpreters))
    every = {name: max(1, round(ms / (_SLOW * usual_ms))) for name, ms in first_ms.items()}
    every[reference] = 1  # ratios need it in every round, slow or not
    pause_s = _SPIN_S if threads > 1 else 0.0
    round_s = sum(
        (1e-3 * (1 + (_WARM_UP if threads > 1 else 1)) * ms + pause_s) / every[name] for name, ms in first_ms.items()
    )
    num_rounds = int(min(MAX_ROUNDS, max(MIN_ROUNDS, seconds / max(round_s, 1e-6))))
    times: dict[str, dict[int, float]] = {name: {} for name in names}
    label = f"Timing {backend}, {threads} thread{'s' if threads > 1 else ''}"
    for number in with_progress(range(num_rounds), label):
        for index in random.permutation(len(names)):
            name = names[index]
            if number % every[name] == 0:
                if threads > 1:
                    time.sleep(_SPIN_S)
                # Another model's turn emptied the caches, and this one's threads sleep: the first calls do not count.
                for _ in range(_WARM_UP if threads > 1 else 1):
                    interpreters[name].invoke(inputs[name])
                times[name][number] = _call_ms(interpreters[name], inputs[name])
    result = []
    for name, taken in times.items():
        p50, p95 = percentiles(list(taken.values()), (50, 95))
        ratio = statistics.median(ms / times[reference][number] for number, ms in taken.items())
        kernels = f"{interpreters[name].kernels} {interpreters[name].version}"
        result.append(Timing(name, backend, kernels, threads, len(taken), p50, p95, ratio))
    return result


def _random_input(interpreter: Interpreter, random: np.random.Generator) -> NDArray[Any]:
    pixels = random.integers(0, 256, interpreter.input.shape[1:], np.uint8)
    dtype = interpreter.input.dtype
    return pixels.astype(np.float32) if dtype == "float32" else pixels.view(dtype)


def _call_ms(interpreter: Interpreter, image: NDArray[Any]) -> float:
    started_ns = time.perf_counter_ns()
    interpreter.invoke(image)
    return (time.perf_counter_ns() - started_ns) / 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, or those of the process, and returns its exit code."""
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    parser = VerbParser(
        prog="python -m convert.measure.latency",
        description="Times .tflite files, and .keras files in their int8 variant, on every installed backend.",
        epilog="example: python -m convert.measure.latency build/a.tflite build/b.tflite --threads 1",
    )
    parser.add_argument("models", metavar="FILE", type=Path, nargs="+", help="files to time; ratios refer to the first")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[1, 2], help="thread counts to time with (default: 1 2)"
    )
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="time to spend on each backend and thread count (default: 5)"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args(arguments)
    if any(count < 1 for count in options.threads):
        raise UsageError(f"--threads is {options.threads}, expected numbers of at least 1.")
    flatbuffers = {str(path): load_flatbuffer(path) for path in options.models}
    timings, incompatible = time_models(flatbuffers, options.threads, options.seconds)
    if options.json:
        data = {
            "timings": [dataclasses.asdict(timing) for timing in timings],
            "incompatible": [dataclasses.asdict(item) for item in incompatible],
            "bytes": {name: len(content) for name, content in flatbuffers.items()},
        }
        print(json.dumps(data))
        return 0
    for row in sorted(timings, key=lambda row: (BACKENDS.index(row.backend), row.threads, row.p50_ms)):
        print(
            f"{row.backend:7} {row.threads} thread(s)  p50 {row.p50_ms:8.3f} ms  p95 {row.p95_ms:8.3f} ms  "
            f"{row.ratio:6.2f} x  {row.model}"
        )
    for item in incompatible:
        print(f"{item.backend:7} cannot run {item.model}: {item.reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
