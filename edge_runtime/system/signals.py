"""Turns SIGINT and SIGTERM into a flag that loops check, so that a run ends between two frames and cleans up."""

from __future__ import annotations

import os
import signal
from types import FrameType

from edge_runtime.system.clock import monotonic_s

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# timeout(1) and some supervisors signal both a process and its group: signals this close together are one request.
ONE_REQUEST_S = 0.5


class StopRequest:
    """Install it before anything slow is imported; a second signal at least ONE_REQUEST_S later ends the process at
    once.

    While ``is_starting`` is true no loop checks it, so the first signal itself raises SystemExit with code 0.
    """

    def __init__(self, *, is_starting: bool = False) -> None:
        self.requested, self.is_starting = False, is_starting
        self._requested_s = 0.0

    def install(self) -> None:
        """Handles this process's SIGINT and SIGTERM from now on; call it in the main thread."""
        for number in SIGNALS:
            signal.signal(number, self._handle)

    def __call__(self) -> bool:
        return self.requested

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested and monotonic_s() - self._requested_s >= ONE_REQUEST_S:
            os._exit(128 + number)
        if self.requested:
            return
        self.requested, self._requested_s = True, monotonic_s()
        if self.is_starting:
            raise SystemExit(0)
