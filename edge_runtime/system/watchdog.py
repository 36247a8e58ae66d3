"""Tells systemd that the run is ready, alive and labelling (sd_notify), and ends the process if the pipeline hangs.

Only the loop feeds it, between frames: a web thread that still answers says nothing about labels. It does nothing
without systemd's environment variables. Standard library only.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import socket
import sys
from collections.abc import Callable, Mapping

from edge_runtime.system.clock import monotonic_s

STATUS_EVERY_S = 1.0


class Watchdog:
    """Call ``alive()`` between frames and ``stopping()`` at the end.

    Ready means that the model is loaded and the camera is being opened, which may take for ever; whether labels come is
    shown by the status text, ``N labels`` since the start (``systemctl show -p StatusText``), updated at most once a
    second.

    If WATCHDOG_USEC is set, a ping is sent every quarter of it. If the loop does not come round within that time,
    Python's fault handler writes to stderr where it hangs and ends the process with exit code 1, whatever the other
    threads do.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ, clock: Callable[[], float] = monotonic_s) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._clock = clock
        self._is_ready = False
        self._pinged_s = self._status_s = -1e9
        self._status = ""
        try:
            period_s = int(environment.get("WATCHDOG_USEC", "0")) / 1e6
            is_ours = environment.get("WATCHDOG_PID") in (None, str(os.getpid()))
        except ValueError:
            period_s, is_ours = 0.0, False
        self.period_s = period_s if is_ours else 0.0

    def alive(self, num_labels: int = 0) -> None:
        """Notes that the loop has come round: sends READY the first time, then the number of labels if it has changed,
        and a ping when one is due.
        """
        now_s = self._clock()
        if not self._is_ready:
            self._is_ready = True
            self._tell("READY=1")
        status = f"STATUS={num_labels} labels"
        if status != self._status and now_s - self._status_s >= STATUS_EVERY_S:
            self._status, self._status_s = status, now_s
            self._tell(status)
        if self.period_s and now_s - self._pinged_s >= self.period_s / 4:
            self._pinged_s = now_s
            self._tell("WATCHDOG=1")
            # Re-armed with each ping, so a hang ends the process at 3/4 to 4/4 of the period.
            faulthandler.dump_traceback_later(self.period_s, exit=True, file=sys.__stderr__ or sys.stderr)

    def stopping(self) -> None:
        """Notes that the run is ending because it was asked to."""
        self._tell("STOPPING=1")
        if self.period_s:
            faulthandler.cancel_dump_traceback_later()

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.connect(address)
            out.send(text.encode())
