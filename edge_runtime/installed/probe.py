"""Tries a new model in a separate process before anything depends on it: whatever it does there, this process survives.

A model is a program for the interpreter, so the child drops root's privileges before it parses a byte of one. It gets
the new model on its standard input and reads the one in use while it still may, so neither has to be world-readable; it
prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import ConfigurationError, EdgeRuntimeError, ModelError
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.guarded_read import read_plain
from edge_runtime.system.parent_death import die_with

if TYPE_CHECKING:
    from edge_runtime.inference.classifier import Classifier

TIMEOUT_S = 60.0
# A child that asks for more is refused before it affects the device's other programs.
MAX_ADDRESS_SPACE = 2 * 1024**3
# How many times slower than the model in use a new one may be, unless it is faster than this anyway.
MAX_SLOWDOWN, ALWAYS_FAST_MS = 8.0, 0.5
NUM_TIMED = 30
# The user of the child when root starts it: "nobody", with the number that the kernel and every distribution use.
NOBODY = 65534
PR_SET_NO_NEW_PRIVS = 38
CHILD_COMMAND = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from edge_runtime.installed.probe import main; main(sys.argv[1:])"
)


@dataclass(frozen=True)
class Probe:
    """What a model did in the probe: its name, its median latency, and that of the model in use, None if unknown."""

    name: str
    latency_ms: float
    current_ms: float | None
    num_goldens: int


def probe(
    content: bytes, name: str, current: Path | None, backend: str = "auto", max_latency_ms: float | None = None
) -> Probe:
    """Runs the model file ``content`` in a child, compared with the file ``current`` in use; ``name`` is for messages.

    Raises:
        ModelError: it crashes, hangs, does not load, fails its goldens or is too slow; the text says which.
        ConfigurationError: there is no interpreter, or the child cannot drop root's privileges.
        EdgeRuntimeError: the child cannot start.
    """
    command = [
        sys.executable,
        "-c",
        CHILD_COMMAND,
        json.dumps(sys.path),
        name,
        str(current or ""),
        backend,
        str(os.getpid()),
    ]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=TIMEOUT_S, start_new_session=True)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"The model gave nothing within {TIMEOUT_S:g} s, so it is refused.") from error
    except OSError as error:
        raise EdgeRuntimeError(f"The probe process cannot start ({error}); check memory and processes.") from error
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise ModelError(f"The model crashed the probe process (signal {name}), so it is refused.")
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
        found = None if answer.keys() & {"refused", "failed"} else _as_probe(answer)
    except (ValueError, IndexError, TypeError, AttributeError, RecursionError) as error:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
        raise ModelError(f"The probe ended with exit code {done.returncode} and said: {last}") from error
    if found is None:
        raise ModelError(str(answer["refused"])) if "refused" in answer else ConfigurationError(str(answer["failed"]))
    expect_fast(found, max_latency_ms)
    return found


def _as_probe(answer: dict[str, Any]) -> Probe:
    """What the child measured. Raises TypeError or ValueError when it is nothing of that kind, as where a model took
    the child over.
    """
    found, current_ms = Probe(**answer), answer["current_ms"]
    latency_ms = float(found.latency_ms)
    current_ms = None if current_ms is None else float(current_ms)
    return Probe(str(found.name), latency_ms, current_ms, int(found.num_goldens))


def expect_fast(found: Probe, max_latency_ms: float | None) -> None:
    """Raises ModelError if the model is slower than ``max_latency_ms``, or than the model in use allows."""
    limit = max_latency_ms
    if limit is None:
        limit = None if found.current_ms is None else max(MAX_SLOWDOWN * found.current_ms, ALWAYS_FAST_MS)
    if limit is not None and found.latency_ms > limit:
        against = "" if found.current_ms is None else f"; the model in use takes {found.current_ms:.2f} ms"
        raise ModelError(
            f"The model takes {found.latency_ms:.2f} ms per frame, expected at most {limit:.2f}{against}. If that "
            "is meant, set `max_latency_ms`."
        )


def main(arguments: list[str]) -> None:
    """Runs in the child."""
    name, current, backend, parent = arguments
    die_with(int(parent))
    _tame()
    try:
        answer = _measure(name, Path(current) if current else None, backend, int(parent))
    except ConfigurationError as error:
        answer = {"failed": str(error)}
    except (EdgeRuntimeError, MemoryError) as error:
        answer = {"refused": str(error) or "There is not enough memory for the model."}
    except Exception as error:  # a bug that the file triggered: it is refused, and the message says why
        answer = {"refused": f"{name} cannot be tried ({type(error).__name__}: {error})."}
    print(json.dumps(answer))


def _measure(name: str, current: Path | None, backend: str, parent: int) -> dict[str, object]:
    import_all()
    from edge_runtime.inference.classifier import Classifier
    from edge_runtime.inference.interpreter import list_available_backends
    from edge_runtime.inference.selftest import selftest
    from edge_runtime.model.model_file import MAX_MODEL_BYTES, read_model

    list_available_backends()
    content = sys.stdin.buffer.read()
    current_content = b""
    if current is not None:
        with contextlib.suppress(OSError):
            current_content = read_plain(current, MAX_MODEL_BYTES)
    _give_up_rights()
    die_with(parent)  # again: the kernel forgets it when the user changes
    model = read_model(content, name, needs_contract=True)
    if model.golden_npz is None:
        return {
            "refused": f"{name} has a contract without golden frames, so it cannot be verified here. Convert it again."
        }
    classifier = Classifier(model, backend=backend)
    report = selftest(classifier)
    if not report.passed:
        return {"refused": f"The model fails its golden frames: {report.failures[0]}. Convert it again."}
    current_ms = None
    if current_content:
        with contextlib.suppress(EdgeRuntimeError):  # a broken model in use must not block a better one
            current_ms = _latency_ms(Classifier(read_model(current_content, "the model in use"), backend=backend))
    return {
        "name": classifier.contract.spec.name,
        "latency_ms": _latency_ms(classifier),
        "current_ms": current_ms,
        "num_goldens": report.num_frames,
    }


def import_all() -> None:
    """Imports everything that reading and running a model may import later: if root's Python is in /root, a process
    without root's privileges cannot import anything from there.
    """
    import numpy.random  # noqa: F401  NumPy 2 imports it on first use

    import edge_runtime

    for name in ("inference", "model", "pixels", "contract"):
        folder = Path(edge_runtime.__file__).parent / name
        for path in sorted(folder.glob("*.py")):
            module = f"edge_runtime.{name}" if path.stem == "__init__" else f"edge_runtime.{name}.{path.stem}"
            importlib.import_module(module)


def _latency_ms(classifier: Classifier) -> float:
    """The median time from a 640x480 frame to its label."""
    import numpy as np

    frame = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    times = []
    for _ in range(NUM_TIMED):
        started_s = monotonic_s()
        classifier.classify(frame)
        times.append((monotonic_s() - started_s) * 1e3)
    return sorted(times)[NUM_TIMED // 2]


def _tame() -> None:
    """Limits this process, and makes it the first that the kernel kills when memory is short."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_SPACE, MAX_ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(TIMEOUT_S), int(TIMEOUT_S)))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    with contextlib.suppress(OSError):
        os.nice(5)


def _give_up_rights() -> None:
    """Turns root into "nobody", and stops any program started from here from gaining privileges.

    Raises:
        ConfigurationError: this machine does not let root become another user.
    """
    ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.geteuid() != 0:
        return
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError as error:
        raise ConfigurationError(
            f"The model cannot be tried without root's rights ({error.strerror}), and is not tried with them. Install "
            "as a user who is not root, or give this container the capabilities SETUID and SETGID."
        ) from error
