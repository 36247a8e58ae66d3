"""Lines to stdout that never hold up a run: a reader that does not read costs lines, not labels nor the end of it.

A pipe, socket or terminal that has no room makes `write` wait for as long as its reader likes. So it is asked for room
first. A file is always written.
"""

from __future__ import annotations

import io
import select
from collections.abc import Callable, Iterable
from typing import TextIO

from edge_runtime.live.results import Event
from edge_runtime.outputs.trouble import OutputTrouble

ASK_EVERY_MS = 250


class Outlet:
    """Writes lines to ``out``, flushed at once.

    When there is no room, a line of a ``live`` run is lost: the next one is newer. Otherwise it waits for its reader,
    until ``should_stop``.
    """

    def __init__(self, out: TextIO, live: bool = False, should_stop: Callable[[], bool] = lambda: False) -> None:
        self._out, self._live, self._should_stop = out, live, should_stop
        self._trouble = OutputTrouble("stdout")
        self.num_lost = 0
        self._poll: select.poll | None = None
        try:
            fd = out.fileno()
        except (io.UnsupportedOperation, OSError):  # a text in memory
            return
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def write(self, line: str) -> None:
        """``line`` and a line break. Raises OSError when the reader is gone or the disk full."""
        if not self._has_room():
            self.num_lost += 1
            self._trouble.failed("nobody reads what is printed; lines are lost")
            return
        self._out.write(line + "\n")
        self._out.flush()
        self._trouble.worked(f"what is printed is read again; {self.num_lost} lines were lost so far")

    def take_events(self) -> Iterable[Event]:
        return self._trouble.take_events()

    def _has_room(self) -> bool:
        # The kernel tells of room when at least 4096 bytes fit, several times a line.
        if self._poll is None or self._poll.poll(0):
            return True
        while not self._live and not self._should_stop():
            if self._poll.poll(ASK_EVERY_MS):
                return True
        return False
