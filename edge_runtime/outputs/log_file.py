"""JSON lines in a file that never exceeds its limit: when half is used, the file becomes FILE.1 and a new one starts.

Every line is whole, whatever happens: a line that did not fit on the disk is removed again. Writing happens in a
thread, so a slow disk never slows the loop.
"""

from __future__ import annotations

import contextlib
import math
import os
import queue
import stat
import threading
from pathlib import Path
from typing import Any

from edge_runtime.errors import OutputError, UsageError
from edge_runtime.live.results import Event, Result, Status
from edge_runtime.outputs.jsonl import make_event_object, make_result_object, make_status_object
from edge_runtime.outputs.trouble import OutputTrouble
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.json_line import to_json_line

QUEUE_LENGTH = 1000
TAIL_BYTES = 64 * 1024
RETRY_S = 1.0


class RotatingFile:
    """Appends whole lines to ``path``, opening it if needed; it and ``path``.1 together stay below ``limit_bytes``."""

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._path, self._limit_bytes = path, limit_bytes
        self._fd = self._size = -1

    def append(self, content: bytes) -> None:
        """Writes ``content``, which ends with a line break, completely or not at all (then OSError)."""
        if self._fd < 0:
            self.open()
        if self._is_regular and self._size + len(content) > self._limit_bytes // 2 and self._size > 0:
            self.close()
            os.replace(self._path, f"{self._path}.1")
            self.open()
        written = 0
        try:
            while written < len(content):
                written += os.write(self._fd, content[written:])
        except OSError:
            if written and self._is_regular:
                os.ftruncate(self._fd, self._size)
            raise
        self._size += written

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def open(self) -> None:
        """Opens the file for appending; half a line at its end, left by a power cut, is cut off. Raises OSError."""
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        state = os.fstat(self._fd)
        self._is_regular = stat.S_ISREG(state.st_mode)  # a device is written to, never renamed or truncated
        self._size = state.st_size
        if not self._is_regular:
            return
        start = max(0, self._size - TAIL_BYTES)
        tail = os.pread(self._fd, TAIL_BYTES, start)
        if tail and not tail.endswith(b"\n"):  # the power failed in the middle of a line
            self._size = start + tail.rfind(b"\n") + 1
            os.ftruncate(self._fd, self._size)


class LogFileSink:
    """A `Sink` that appends results, events and the status to a file as lines of JSON.

    A ``patient`` one treats a file that cannot be opened like a disk that fails later: it reports this and tries again.

    Raises:
        OutputError: the file cannot be written, and it is not patient.
        UsageError: ``log_limit_mb`` is below 0.1 or not finite.
    """

    def __init__(self, path: Path, log_limit_mb: float = 20.0, *, patient: bool = False) -> None:
        if not 0.1 <= log_limit_mb < math.inf:
            raise UsageError(f"`log_limit_mb` is {log_limit_mb:g}, expected a number of at least 0.1.")
        self._file, self._path, self._trouble = RotatingFile(path, int(log_limit_mb * 1e6)), path, OutputTrouble("log")
        try:
            self._file.open()
        except OSError as error:
            if not patient:
                raise OutputError(
                    f"The log file {path} cannot be written ({error.strerror}); choose another `log_file`."
                ) from error
            self._failed(error)
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(QUEUE_LENGTH)
        self.num_lost = 0
        self._retry_s = 0.0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def result(self, result: Result) -> None:
        self._put(make_result_object(result))

    def event(self, event: Event) -> None:
        self._put(make_event_object(event))

    def status(self, status: Status) -> None:
        self._put(make_status_object(status))

    def take_events(self) -> list[Event]:
        return self._trouble.take_events()

    def close(self) -> None:
        """Writes what is waiting, for at most 3 s."""
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=1.0)
        self._thread.join(2.0)

    def _failed(self, error: OSError) -> None:
        self._trouble.failed(f"{self._path} cannot be written ({error.strerror}); free or remount the disk")

    def _put(self, line: dict[str, Any]) -> None:
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self.num_lost += 1

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            if monotonic_s() < self._retry_s:
                self.num_lost += 1
                continue
            text = to_json_line(line) + "\n"
            try:
                # In JSON the replacement for text that is not UTF-8, such as an image's name, reads back the same.
                self._file.append(text.encode("utf-8", "backslashreplace"))
            except OSError as error:
                self.num_lost += 1
                self._retry_s = monotonic_s() + RETRY_S
                self._failed(error)
            else:
                self._trouble.worked(f"{self._path} is written again")
        self._file.close()
