"""Turns SIGINT and SIGTERM into a question that loops ask, so that a run ends between two frames and cleans up."""

from __future__ import annotations

import os
import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Install it before anything slow is imported; the second signal ends the process at once.

    As long as ``is_starting`` nobody asks, so the signal itself unwinds what was begun, by SystemExit with 0.
    """

    def __init__(self, *, is_starting: bool = False) -> None:
        self.requested, self.is_starting = False, is_starting

    def install(self) -> None:
        """Takes over SIGINT and SIGTERM of this process; must be called in its main thread."""
        for number in SIGNALS:
            signal.signal(number, self._handle)

    def __call__(self) -> bool:
        return self.requested

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            os._exit(128 + number)
        self.requested = True
        if self.is_starting:
            raise SystemExit(0)
