"""Lines to stdout that never hold up a run: a reader that does not read costs lines, not labels or a clean end.

When a pipe, socket or terminal has no room, `write` waits for as long as its reader likes. So we first ask it for room.
A file is always written.
"""

from __future__ import annotations

import errno
import io
import os
import select
from collections.abc import Callable, Iterable
from typing import TextIO

from edge_runtime.live.results import Event
from edge_runtime.outputs.trouble import OutputTrouble

ASK_EVERY_MS = 250
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


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
        self._fd, self._is_cut = -1, False
        try:
            self._fd = fd = out.fileno()
        except (io.UnsupportedOperation, OSError):  # text in memory
            return
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def write(self, line: str) -> None:
        """Writes ``line`` and a line break. Raises OSError when the reader is gone, or when the disk is full in a run
        that is not live.
        """
        if not self._has_room():
            self.num_lost += 1
            self._trouble.failed("nobody reads what is printed; lines are lost")
            return
        try:
            self._print(line + "\n")
        except OSError as error:
            if not self._live or error.errno not in _DISK_FULL:
                raise
            self.num_lost += 1
            self._trouble.failed(f"what is printed cannot be written ({error.strerror}); lines are lost")
            return
        self._trouble.worked(f"what is printed is read again; {self.num_lost} lines were lost so far")

    def take_events(self) -> Iterable[Event]:
        return self._trouble.take_events()

    def _print(self, text: str) -> None:
        if self._fd < 0:
            self._out.write(text)
            self._out.flush()
            return
        # Bypasses Python's buffer, which would keep what could not be written and fail again when the process ends.
        self._out.flush()
        content = text.encode(self._out.encoding or "utf-8", self._out.errors or "backslashreplace")
        if self._is_cut:
            content = b"\n" + content
        while content:
            num_written = os.write(self._fd, content)
            content = content[num_written:]
            self._is_cut = bool(content)

    def _has_room(self) -> bool:
        # The kernel reports room when at least 4096 bytes fit, which is several lines.
        if self._poll is None or self._poll.poll(0):
            return True
        while not self._live and not self._should_stop():
            if self._poll.poll(ASK_EVERY_MS):
                return True
        return False
