"""The capture process as its parent sees it: its start, its messages, its end. Linux only."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
from collections.abc import Sequence
from typing import IO

from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.capture.orders import Order, look_line, shrink_line, watch_line
from edge_runtime.cameras.capture.shared_frames import SharedFrames
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.contract import InputSpec, Region
from edge_runtime.errors import CameraError, InternalError

MAX_LINE_BYTES = 16 * 1024


def _cannot_start(error: OSError) -> CameraError:
    return CameraError(f"The capture process cannot start ({error}); check memory, processes and open files.")


class CaptureProcess:
    """One capture process with its shared memory, its wake-up descriptor and its messages."""

    def __init__(
        self,
        command: Sequence[str],
        address: CameraAddress,
        shrink_for: InputSpec | None,
        deadline_s: float,
        options: CameraOptions,
        region: Region | None = None,
    ) -> None:
        self.deadline_s = deadline_s
        self.arrived_s: float | None = None
        self.num_taken = 0
        self.last_seq = -1
        self.last_bad = 0
        self.has_explained = False
        self.opening_since_s: float | None = None
        self._unread = b""
        self._is_mute = False
        try:
            self.shared = SharedFrames.create()
        except OSError as error:
            raise _cannot_start(error) from error
        self._event_fd = -1
        try:
            self._event_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(self.shared.fd, self._event_fd),
                start_new_session=True,  # Ctrl-C reaches only the parent, and the whole group can be killed
            )
        except OSError as error:
            self._close_descriptors()
            raise _cannot_start(error) from error
        order = Order(address, shrink_for, self.shared.fd, self._event_fd, os.getpid(), options, region)
        self._tell(order.to_json())
        os.set_blocking(_pipe(self.process.stdout).fileno(), False)
        self._poll = select.poll()
        self._poll.register(self._event_fd, select.POLLIN)
        self._poll.register(_pipe(self.process.stdout).fileno(), select.POLLIN)

    def shrink_for(self, spec: InputSpec) -> None:
        """Tells it the model input that images are for from now on; the camera stays open."""
        self._tell(shrink_line(spec))

    def watch(self, region: Region | None) -> None:
        """Tells it in which part of the frame movement counts from now on."""
        self._tell(watch_line(region))

    def look_again(self) -> None:
        """Tells it to look at the next frame, whatever it shows."""
        self._tell(look_line())

    def wait(self, timeout_s: float) -> None:
        """Returns when a frame or a message comes, the process ends, or after ``timeout_s``."""
        self._poll.poll(math.ceil(timeout_s * 1e3))
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._event_fd)

    def messages(self) -> list[tuple[str, str]]:
        """(state, text) of every line that the child has written since the last call; malformed lines are skipped."""
        with contextlib.suppress(BlockingIOError):
            content = os.read(_pipe(self.process.stdout).fileno(), MAX_LINE_BYTES)
            if not content and not self._is_mute:  # a closed pipe would wake every poll
                self._is_mute = True
                self._poll.unregister(_pipe(self.process.stdout).fileno())
            self._unread += content
        *lines, self._unread = self._unread.split(b"\n")
        self._unread = self._unread[:MAX_LINE_BYTES]
        found = []
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                message = json.loads(line)
                found.append((str(message["state"]), str(message["text"])))
        return found

    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    def how_it_ended(self) -> str:
        """Its exit code, or the signal that killed it, in words."""
        code = self.process.returncode
        if code is None or code >= 0:
            return f"exit code {code}"
        with contextlib.suppress(ValueError):  # real-time signals have no name in Python
            return f"signal {signal.Signals(-code).name}"
        return f"signal {-code}"

    def terminate(self, patience_s: float) -> None:
        """Asks it to end, then kills it and every process that it started."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience_s)
        self.kill()

    def kill(self) -> None:
        """Kills the process and its group, and reaps it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel: Popen reaps it later
            self.process.wait(2.0)

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            _pipe(self.process.stdin).close()
        _pipe(self.process.stdout).close()
        self._close_descriptors()

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has died already; has_ended will say so
            _pipe(self.process.stdin).write(line.encode())
            _pipe(self.process.stdin).flush()

    def _close_descriptors(self) -> None:
        if self._event_fd >= 0:
            os.close(self._event_fd)
        self.shared.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise InternalError("The capture process has no pipe although one was asked for.")
    return pipe
