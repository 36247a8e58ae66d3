"""How a command of the workstation ends, said once: a result and 0, or one line on stderr and an exit code.

The device's own command line has more to say (`edge_runtime.cli`). Never prints a result.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from types import TracebackType

from edge_runtime.errors import EdgeRuntimeError

INTERRUPTED = 130  # 128 + SIGINT, as shells count


def quiet_interrupts() -> None:
    """Has a Ctrl-C that comes while a command's modules are still being imported end in one line, too."""

    def report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if _is_interrupt(error):
            print("\ninterrupted", file=sys.stderr)
        else:
            sys.__excepthook__(kind, error, traceback)

    sys.excepthook = report


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether a Ctrl-C is behind ``error``: some libraries make an ImportError of it."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def run_command(work: Callable[[], int | None], interrupted: str = "interrupted") -> int:
    """Runs ``work``; the exit code: what it returns (None: 0), that of its error, or 130 after Ctrl-C.

    An error on purpose and a Ctrl-C are one line on stderr, ``error: ...`` and ``interrupted``; all others are bugs and
    keep their traceback.
    """
    # A file name need not be UTF-8; what a terminal cannot show is shown as \\udcff.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return work() or 0
    except EdgeRuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"\n{interrupted}", file=sys.stderr)
        return INTERRUPTED
