"""Log records as lines on stderr: ours unchanged, those of other libraries short and few.

A library may log the same problem a thousand times a second, each time with a traceback: nobody reads that, and the
disk under a service's journal is small.
"""

from __future__ import annotations

import logging
import sys

from edge_runtime.cli.flag_names import name_flags
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.printable import printable

OURS = "edge_runtime"
# At most this many lines from other libraries in this many seconds.
MAX_FOREIGN, PERIOD_S = 10, 60.0


class Lines(logging.Formatter):
    """One line per record; records of other libraries lose their traceback."""

    def __init__(self) -> None:
        super().__init__("edge-runtime: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line, safe for a terminal."""
        if _is_ours(record):
            return printable(name_flags(super().format(record)))
        text = " ".join(record.getMessage().split())
        error = record.exc_info[1] if record.exc_info else None
        why = "" if error is None else f" ({type(error).__name__}: {error})"
        return printable(f"edge-runtime: {record.name}: {text[:300]}{why[:300]}")


class FewOfOthers(logging.Filter):
    """Lets `MAX_FOREIGN` records of other libraries pass in `PERIOD_S`; the last one says that more may follow."""

    def __init__(self) -> None:
        super().__init__()
        self._began_s, self._num_passed = -PERIOD_S, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether ``record`` is shown."""
        if _is_ours(record):
            return True
        now_s = monotonic_s()
        if now_s - self._began_s >= PERIOD_S:
            self._began_s, self._num_passed = now_s, 0
        self._num_passed += 1
        if self._num_passed == MAX_FOREIGN:
            record.msg = f"{record.getMessage()[:300]} (what follows from other libraries is not shown for a minute)"
            record.args = None
        return self._num_passed <= MAX_FOREIGN


def log_to_stderr() -> None:
    """Warnings and worse go to stderr from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    handler.addFilter(FewOfOthers())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name == OURS or record.name.startswith(f"{OURS}.")
