"""How each command of this package ends is said here, once: a result and 0, or one line on stderr and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

from edge_runtime.errors import EdgeRuntimeError

INTERRUPTED = 130  # 128 + SIGINT, as shells count


def run_command(work: Callable[[], int]) -> int:
    """Runs ``work``; the exit code: what it returns, that of its `EdgeRuntimeError`, or 130 after Ctrl-C.

    An error on purpose and a Ctrl-C are one line on stderr, ``error: ...`` and ``interrupted``; all others are bugs and
    keep their traceback.
    """
    try:
        return work()
    except EdgeRuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
