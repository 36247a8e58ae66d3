"""Tries a file that nobody vouches for in a forked process first, where a crash or full memory does no harm.

A model is a program for the interpreter, and old interpreters check little of it. The child shares what is already
imported, so it costs only as much as loading the model and running two frames; its limits on memory and time grow with
the size of the file, and it does not outlive its parent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import select
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import EdgeRuntimeError, ModelError
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.parent_death import die_with

if TYPE_CHECKING:
    from edge_runtime.model.model_file import ModelFile

# What any file may use, and how much more for each of its bytes.
MEMORY_BYTES, MEMORY_PER_BYTE = 160 * 1024 * 1024, 6
CPU_S, CPU_S_PER_BYTE = 1.0, 2e-6
# A busy machine may give a process only a tenth of its time, but nothing may wait for ever.
PATIENCE = 10.0
_MAX_ANSWER = 16 * 1024
_WAY_OUT = (
    "If its maker is known, sign it (python -m convert.sign) and trust the key: signed files have no such limits."
)


@dataclass(frozen=True)
class FirstRun:
    """The ``backends`` and ``threads`` with which a `Classifier` will run a file; without a backend it is only read."""

    backends: tuple[str, ...] = ("auto",)
    threads: int = 1


def first_run(content: bytes, name: str, read: Callable[[], ModelFile], how: FirstRun) -> None:
    """Checks that the file ``content`` can be ``read``, loaded and run twice in a child.

    Raises:
        ModelError: it crashed the child, or took too much memory or time.
        EdgeRuntimeError: whatever reading or loading it raised in the child, of the same class; or no child can start.
    """
    if how.backends:
        from edge_runtime.inference.classifier import Classifier  # noqa: F401  imported once, for both processes
        from edge_runtime.inference.interpreter import import_backend

        for backend in how.backends:
            import_backend(backend)
    read_end, write_end = os.pipe()
    parent = os.getpid()
    try:
        with warnings.catch_warnings():  # Python 3.12 warns about threads, but the child uses nothing that they hold
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
    except OSError as error:
        os.close(read_end)
        os.close(write_end)
        raise EdgeRuntimeError(f"No process can start to try {name} ({error}); check memory and processes.") from error
    if pid == 0:
        os.close(read_end)
        _be_child(content, name, read, how, parent, write_end)
    os.close(write_end)
    limit_s = _cpu_s(content)
    try:
        answer = _read_answer(read_end, limit_s * PATIENCE)
    finally:
        os.close(read_end)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # it has either answered or taken too long
        _, status = os.waitpid(pid, 0)
    _judge(answer, os.waitstatus_to_exitcode(status), name, limit_s)


def _read_answer(pipe: int, patience_s: float) -> bytes | None:
    """What the child wrote before it ended; None if it did not end in time."""
    deadline_s, answer = monotonic_s() + patience_s, b""
    while (left_s := deadline_s - monotonic_s()) > 0 and len(answer) < _MAX_ANSWER:
        if select.select([pipe], [], [], left_s)[0]:
            piece = os.read(pipe, _MAX_ANSWER)
            if not piece:
                return answer
            answer += piece
    return None


def _judge(answer: bytes | None, exit_code: int, name: str, limit_s: float) -> None:
    if answer is None or exit_code == -signal.SIGPROF:
        raise ModelError(
            f"{name} took more than {limit_s:.1f} s of processor time to be loaded and run twice, so it is refused. "
            + _WAY_OUT
        )
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not said.keys() <= {"kind", "text"} or len(said) == 1:
        how = f"signal {signal.Signals(-exit_code).name}" if exit_code < 0 else f"exit code {exit_code}"
        raise ModelError(
            f"{name} crashed the process in which it was tried ({how}), so it is refused: it is damaged, made to do "
            "that, or beyond this interpreter. Copy it again, or convert it again."
        )
    if said:
        # Its class is one of ours, and its text is shown as any text is.
        raise _error_class(str(said["kind"]))(str(said["text"]))


def _error_class(kind: str) -> type[EdgeRuntimeError]:
    from edge_runtime import errors

    found = getattr(errors, kind, None)
    return found if isinstance(found, type) and issubclass(found, EdgeRuntimeError) else ModelError


def _be_child(
    content: bytes, name: str, read: Callable[[], ModelFile], how: FirstRun, parent: int, pipe: int
) -> None:  # pragma: no cover  another process
    """Never returns, so that nothing that the parent does at exit happens here, too."""
    try:
        die_with(parent)
        _limit(content)
        try:
            said = _run(read, how)
        except EdgeRuntimeError as error:
            said = {"kind": type(error).__name__, "text": str(error)}
        except MemoryError:
            megabytes = _memory_bytes(content) // 2**20
            text = f"{name} takes more than {megabytes} MB of memory to be loaded, so it is refused. {_WAY_OUT}"
            said = {"kind": "ModelError", "text": text}
        except Exception as error:  # a bug that the file triggered: it is refused, and the message says why
            said = {"kind": "ModelError", "text": f"{name} cannot be read ({type(error).__name__}: {error})."}
        os.write(pipe, json.dumps(said).encode()[:_MAX_ANSWER])
    finally:
        os._exit(0)


def _run(read: Callable[[], ModelFile], how: FirstRun) -> dict[str, str]:
    model = read()
    _ = model.goldens, model.neighbours
    if how.backends:
        import numpy as np

        from edge_runtime.inference.classifier import Classifier

        chance = np.random.default_rng(0)
        shape = (model.contract.spec.input.height, model.contract.spec.input.width, 3)
        images = np.zeros(shape, np.uint8), chance.integers(0, 256, shape, np.uint8)
        for backend in how.backends:
            with Classifier(model, threads=how.threads, backend=backend) as classifier:
                for image in images:
                    classifier.raw_output(image)
    return {}


def _limit(content: bytes) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = _data_bytes() + _memory_bytes(content)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    for number in (signal.SIGPROF, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, _cpu_s(content))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)  # hides what an allocator prints about a corrupted heap
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115  this process ends soon


def _data_bytes() -> int:
    """The memory that this process already holds, as RLIMIT_DATA counts it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def _memory_bytes(content: bytes) -> int:
    return MEMORY_BYTES + MEMORY_PER_BYTE * len(content)


def _cpu_s(content: bytes) -> float:
    return CPU_S + CPU_S_PER_BYTE * len(content)


def try_unknown(how: FirstRun) -> Callable[[bytes, str, Callable[[], ModelFile]], None]:
    """What `open_model` does before it reads a file that nobody vouches for: a `first_run` unless it `is_known`."""

    def meet(content: bytes, name: str, read: Callable[[], ModelFile]) -> None:
        if not is_known(content):
            first_run(content, name, read, how)

    return meet


def is_known(content: bytes) -> bool:
    """Whether a store that nobody else may write holds exactly these bytes: it tried them when they were installed."""
    from edge_runtime.store.ownership import is_own_store
    from edge_runtime.store.store import Store

    with contextlib.suppress(EdgeRuntimeError, OSError):
        store = Store()
        if not is_own_store(store.folder):
            return False
        history = store.state().history
        return len(history) > 1 and hashlib.sha256(content).hexdigest() in history
    return False
