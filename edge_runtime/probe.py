"""Tries a new model in a process of its own before anything depends on it: whatever it does there, this one lives.

python -m edge_runtime.probe MODEL CURRENT BACKEND    prints one line of JSON; CURRENT is the file now in use
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.clock import monotonic_s
from edge_runtime.errors import EdgeRuntimeError, ModelError

if TYPE_CHECKING:
    from edge_runtime.classifier import Classifier

TIMEOUT_S = 60.0
# A child that asks for more is refused before it troubles the device's other programs.
MAX_ADDRESS_SPACE = 2 * 1024**3
# How often as long as the model in use a new one may take, unless it is still this fast.
MAX_SLOWDOWN, ALWAYS_FAST_MS = 8.0, 0.5
NUM_TIMED = 30
CHILD_COMMAND = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from edge_runtime.probe import main; main(sys.argv[1:])"
)


@dataclass(frozen=True)
class Probe:
    """What a model did in the probe: its name, median latency, and that of the model in use, None when unknown."""

    name: str
    latency_ms: float
    current_ms: float | None
    num_goldens: int


def probe(model: Path, current: Path | None, backend: str = "auto", max_latency_ms: float | None = None) -> Probe:
    """Runs the model file ``model`` in a child.

    Raises:
        ModelError: it crashes, hangs, does not load, fails its goldens or is too slow; the text says which.
    """
    command = [sys.executable, "-c", CHILD_COMMAND, json.dumps(sys.path), str(model), str(current or ""), backend]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, start_new_session=True)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"The model gave nothing within {TIMEOUT_S:g} s, so it is refused.") from error
    except OSError as error:
        raise EdgeRuntimeError(f"The probe process cannot start ({error}); check memory and processes.") from error
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise ModelError(f"The model crashed the probe process (signal {name}), so it is refused.")
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise ModelError(f"The probe ended with exit code {done.returncode} and said: {last}") from error
    if "refused" in answer:
        raise ModelError(answer["refused"])
    found = Probe(**answer)
    expect_fast(found, max_latency_ms)
    return found


def expect_fast(found: Probe, max_latency_ms: float | None) -> None:
    """Raises ModelError when the model is slower than ``max_latency_ms``, or than the one in use allows."""
    limit = max_latency_ms
    if limit is None:
        limit = None if found.current_ms is None else max(MAX_SLOWDOWN * found.current_ms, ALWAYS_FAST_MS)
    if limit is not None and found.latency_ms > limit:
        against = "" if found.current_ms is None else f"; the model in use takes {found.current_ms:.2f} ms"
        raise ModelError(
            f"The model takes {found.latency_ms:.2f} ms a frame, expected at most {limit:.2f}{against}. If that "
            "is meant: install --max-latency-ms N."
        )


def main(arguments: list[str]) -> None:
    """The child."""
    model, current, backend = arguments
    _tame()
    try:
        answer = _measure(Path(model), Path(current) if current else None, backend)
    except (EdgeRuntimeError, MemoryError) as error:
        answer = {"refused": str(error) or "There is not enough memory for the model."}
    print(json.dumps(answer))


def _measure(model: Path, current: Path | None, backend: str) -> dict[str, object]:
    from edge_runtime.classifier import Classifier
    from edge_runtime.selftest import selftest

    classifier = Classifier(model, backend=backend)
    num_goldens = 0
    if classifier.model.golden_npz is not None:
        report = selftest(classifier)
        num_goldens = report.num_frames
        if not report.passed:
            return {"refused": f"The model fails its golden frames: {report.failures[0]}. Convert it again."}
    current_ms = None
    if current is not None:
        with contextlib.suppress(EdgeRuntimeError):  # a broken model in use must not keep a better one out
            current_ms = _latency_ms(Classifier(current, backend=backend))
    return {
        "name": classifier.contract.spec.name,
        "latency_ms": _latency_ms(classifier),
        "current_ms": current_ms,
        "num_goldens": num_goldens,
    }


def _latency_ms(classifier: Classifier) -> float:
    """The median time from a 640x480 frame to its label."""
    import numpy as np

    frame = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    times = []
    for _ in range(NUM_TIMED):
        started_s = monotonic_s()
        classifier.classify(frame)
        times.append((monotonic_s() - started_s) * 1e3)
    return float(np.median(times))


def _tame() -> None:
    """Limits this process, and lets the kernel kill it before any other when memory is short."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_SPACE, MAX_ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    with contextlib.suppress(OSError):
        os.nice(5)
