"""How every command of the workstation ends: a result and exit code 0, or one line on stderr and another exit code.

Ctrl-C gives one line wherever it comes: during imports, inside a library that turns it into another error, or where
Python can only print it. Work goes on if the reader of the output or the terminal has gone. The device's own command
line does more (`edge_runtime.cli`). Never prints a result.
"""

from __future__ import annotations

import _thread
import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from edge_runtime.errors import EdgeRuntimeError, InternalError, OutputError

INTERRUPTED = 130  # 128 + SIGINT, as in shells
_PROGRAMS = ("edge-train",)


class _Process:
    """What is known about this process: whether it is a command, and whether Ctrl-C was pressed."""

    is_command = False
    was_interrupted = False


class _Patient(io.TextIOWrapper):
    """A text stream for people: if nobody can read it any longer, text is lost and the work goes on."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


def begin_command() -> None:
    """Prepares this process if it is a command (``python -m ...`` or `edge-train`), before anything slow is imported;
    does nothing in a program that imports the package.
    """
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    if _Process.is_command or not (sys.argv[:1] == ["-m"] or name.partition(".")[0] in _PROGRAMS):
        return
    _Process.is_command = True
    open_streams()
    # Not if the process that started this one wants it ignored, as `nohup` and a search do.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)
    sys.unraisablehook = _handle_unraisable


def open_streams() -> None:
    """Opens this process's closed standard streams to nowhere: otherwise the next file would get their numbers, and
    what libraries write there. Whatever cannot be written to stderr is lost, and changes no exit code.
    """
    while True:
        number = os.open(os.devnull, os.O_RDWR)
        if number > 2:
            os.close(number)
            break
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    line_buffered = {"errors": "backslashreplace", "line_buffering": True, "write_through": True}
    if sys.stderr is None:
        sys.stderr = _Patient(open(2, "wb", buffering=0, closefd=False), "utf-8", **line_buffered)  # type: ignore  # noqa: SIM115
    elif type(sys.stderr) is io.TextIOWrapper:
        encoding = sys.stderr.encoding
        sys.stderr.flush()
        sys.stderr = _Patient(sys.stderr.detach(), encoding, **line_buffered)  # type: ignore[arg-type]
    sys.__stderr__ = sys.stderr  # type: ignore[misc,assignment]  # the old one has lost its buffer; a watchdog writes here


def _leave(number: int, frame: FrameType | None) -> None:
    """Exits at once: during imports there is nothing to save, and an exception would pass through code that cannot
    handle it.
    """
    with contextlib.suppress(OSError):
        os.write(2, b"\ninterrupted\n")
    os._exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _Process.was_interrupted = True
    raise KeyboardInterrupt


def _handle_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Repeats a Ctrl-C a little later if it came in a destructor or a callback, where it would be lost."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        again = threading.Timer(0.05, _interrupt_main_thread)
        again.daemon = True
        again.start()
    elif not _Process.was_interrupted:
        sys.__unraisablehook__(unraisable)


def _interrupt_main_thread() -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # also wakes it if it is waiting
    else:
        _thread.interrupt_main()


@contextlib.contextmanager
def interrupts_for_this_process() -> Iterator[None]:
    """Processes started in the block do not get Ctrl-C, which a terminal sends to a whole group: this process ends
    them.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    # Python's own helper unblocks the signal when it starts, so it is started first.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run_command(work: Callable[[], int | None], interrupted: str = "interrupted") -> int:
    """Runs ``work`` and returns the exit code: what it returns (None: 0), that of its error, or 130 after Ctrl-C.

    A deliberate error, Ctrl-C, a lack of memory and anything that the operating system refuses give one line on stderr,
    ``error: ...`` or ``interrupted``; all other errors are bugs and keep their traceback. Also 0 if the reader of
    stdout has gone.
    """
    # A file name need not be UTF-8; what a terminal cannot show is shown as \\udcff.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if _Process.is_command and signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        code = _run(work, interrupted)
    finally:
        # Only the exit is left: a second Ctrl-C would merely print a traceback.
        if _Process.is_command and signal.getsignal(signal.SIGINT) is _interrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    return code


def _run(work: Callable[[], int | None], interrupted: str) -> int:
    try:
        code = work() or 0
        sys.stdout.flush()
        return code
    except BaseException as error:
        # Some libraries turn Ctrl-C into an error of their own.
        if isinstance(error, KeyboardInterrupt) or (_Process.was_interrupted and not isinstance(error, SystemExit)):
            print(f"\n{interrupted}", file=sys.stderr)
            return INTERRUPTED
        if isinstance(error, EdgeRuntimeError):
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
        if isinstance(error, BrokenPipeError):
            _drop_output()
            return 0
        if isinstance(error, MemoryError):
            print("error: There is not enough memory for this. Close other programs, or ask for less.", file=sys.stderr)
            return InternalError.exit_code
        if isinstance(error, OSError):
            _drop_output()
            print(f"error: {error}. Check the disk and who may read and write there.", file=sys.stderr)
            return OutputError.exit_code
        raise


def _drop_output() -> None:
    """Keeps Python's last flush of stdout from failing."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
