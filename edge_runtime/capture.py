"""A live camera in a process of its own, of which only the newest frame is ever seen.

The child may hang, crash or lie; this side keeps a deadline for everything it should do, kills it when it is silent,
and starts another after 1, 2, 4 ... 30 s. Frames, restarts and everything dropped are counted. Linux only.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from edge_runtime.backoff import Backoff
from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.frame import Frame, FrameSource, SourceCounts
from edge_runtime.capture_child import Order, spec_to_json
from edge_runtime.clock import monotonic_s
from edge_runtime.contract import InputSpec
from edge_runtime.errors import CameraError, InternalError
from edge_runtime.shared_frames import SharedFrames

# The child sees exactly the modules that this process sees, wherever it was started from.
CHILD_COMMAND = (
    sys.executable,
    "-c",
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from edge_runtime.capture_child import main; main()",
)
MAX_LINE_BYTES = 16 * 1024


@dataclass(frozen=True)
class CaptureConfig:
    """Seconds that a child may take to start, to open its camera, and between two frames; waits before a new child.

    ``first_frame_s`` is how long iterating waits for the first frame of all before CameraError.
    """

    start_s: float = 20.0
    opening_s: float = 5.0
    silent_s: float = 3.0
    first_restart_s: float = 1.0
    restart_cap_s: float = 30.0
    terminate_s: float = 0.5
    first_frame_s: float = 30.0


class Capture(FrameSource):
    """The live `FrameSource`: `read` gives the newest frame that was not read before, and mends the child on the way.

    The child is tied to the thread that reads (it dies with that thread), so open and read a camera in one thread.
    """

    live = True

    def __init__(
        self,
        address: CameraAddress,
        shrink_for: InputSpec | None = None,
        config: CaptureConfig | None = None,
        command: Sequence[str] | None = None,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self.name = address.shown
        self.config = config or CaptureConfig()
        self._address, self._shrink_for, self._clock = address, shrink_for, clock
        self._command = tuple(command) if command is not None else (*CHILD_COMMAND, json.dumps(sys.path))
        self._backoff = Backoff(self.config.first_restart_s, self.config.restart_cap_s)
        self._child: _Child | None = None
        self._next_start_s = clock()
        self._num_starts = self._num_taken = 0
        self._past_captured = self._past_bad = 0
        self._start_when_due()

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        deadline_s = self._clock() + timeout_s
        while not self.ended:
            self._start_when_due()
            child = self._child
            if child is not None:
                frame = self._take(child)
                if frame is not None:
                    return frame
            now_s = self._clock()
            if child is None:
                time.sleep(max(0.0, min(deadline_s, self._next_start_s) - now_s))
            else:
                child.wait(max(0.0, min(deadline_s, child.deadline_s) - now_s))
                self._look_after(child)
            if now_s >= deadline_s:
                break
        return None

    def counts(self) -> SourceCounts:
        captured, bad, waiting = self._past_captured, self._past_bad, 0
        if self._child is not None:
            # The newest number is read last: a frame published between the two reads must not look dropped.
            child_captured, newest = self._child.shared.captured, self._child.shared.newest_seq
            captured += max(child_captured, newest + 1)
            bad += self._child.shared.bad
            waiting = int(newest > self._child.last_seq)
        return SourceCounts(
            captured=captured,
            dropped=captured - self._num_taken - waiting,
            waiting=waiting,
            bad=bad,
            restarts=max(0, self._num_starts - 1),
        )

    def shrink_for(self, spec: InputSpec) -> None:
        if self._shrink_for is None or self._shrink_for == spec:
            return
        super().shrink_for(spec)
        if self._child is not None:
            self._child.shrink_for(spec)

    @property
    def pids(self) -> tuple[int, ...]:
        return (self._child.process.pid,) if self._child is not None else ()

    def close(self) -> None:
        super().close()
        if self._child is not None:
            self._child.terminate(self.config.terminate_s)
            self._forget_child()

    def __iter__(self) -> Iterator[Frame]:
        """Frames with pixels of their own.

        Raises:
            CameraError: there was no frame at all within ``first_frame_s``; later outages are waited out.
        """
        start_s = self._clock()
        while not self.ended:
            frame = self.read()
            if frame is not None:
                yield Frame(frame.pixels.copy(), frame.seq, frame.captured_s, frame.name, frame.fingerprint)
            elif self._num_taken == 0 and self._clock() - start_s > self.config.first_frame_s:
                self.close()
                raise CameraError(f"No frame within {self.config.first_frame_s:g} s: {self.trouble or self.name}")

    def _start_when_due(self) -> None:
        if self._child is not None or self._clock() < self._next_start_s:
            return
        self._num_starts += 1
        try:
            self._child = _Child(self._command, self._address, self._shrink_for, self._clock() + self.config.start_s)
        except CameraError as error:
            if self._num_starts == 1:
                raise
            # It could be started before: too little memory or too many descriptors may pass.
            self.trouble = str(error)
            self._next_start_s = self._clock() + self._backoff.next_s()

    def _take(self, child: _Child) -> Frame | None:
        frame = child.shared.take(child.last_seq)
        if frame is None:
            return None
        if child.last_seq < 0:
            self._backoff.reset()
        child.last_seq = frame.seq
        child.deadline_s = self._clock() + self.config.silent_s
        self._num_taken += 1
        self.trouble = ""
        return Frame(frame.pixels, self._past_captured + frame.seq, frame.captured_s, "", frame.fingerprint)

    def _look_after(self, child: _Child) -> None:
        """Hears what the child says; replaces it when it ended or is late."""
        for state, text in child.messages():
            child.deadline_s = self._clock() + self.config.opening_s
            if state == "open":
                self.name = text
            elif state == "trouble":
                self.trouble = text
            elif state == "ended":
                self.ended = True
        if child.has_ended():
            self._replace(f"the capture process of {self.name} ended ({child.how_it_ended()})")
        elif self._clock() >= child.deadline_s and child.shared.newest_seq <= child.last_seq:
            self._replace(f"{self.name} is silent; its capture process was killed")

    def _replace(self, reason: str) -> None:
        self.trouble = self.trouble or reason
        if self._child is not None:
            self._child.kill()
        self._forget_child()
        self._next_start_s = self._clock() + self._backoff.next_s()

    def _forget_child(self) -> None:
        if self._child is not None:
            counts = self._child.shared
            self._past_captured += max(counts.captured, counts.newest_seq + 1)
            self._past_bad += counts.bad
            self._child.close()
            self._child = None


def _cannot_start(error: OSError) -> CameraError:
    return CameraError(f"The capture process cannot start ({error}); check memory, processes and open files.")


class _Child:
    """One capture process with its shared memory, its wake-up descriptor and its messages."""

    def __init__(
        self, command: Sequence[str], address: CameraAddress, shrink_for: InputSpec | None, deadline_s: float
    ) -> None:
        self.deadline_s = deadline_s
        self.last_seq = -1
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
        order = Order(address, shrink_for, self.shared.fd, self._event_fd, os.getpid())
        self._tell(order.to_json())
        os.set_blocking(_pipe(self.process.stdout).fileno(), False)
        self._poll = select.poll()
        self._poll.register(self._event_fd, select.POLLIN)
        self._poll.register(_pipe(self.process.stdout).fileno(), select.POLLIN)

    def shrink_for(self, spec: InputSpec) -> None:
        """Tells it what the pictures are for from now on; the camera stays open."""
        self._tell(spec_to_json(spec))

    def wait(self, timeout_s: float) -> None:
        """Returns when a frame or a message comes, the process ends, or after ``timeout_s``."""
        self._poll.poll(math.ceil(timeout_s * 1e3))
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._event_fd)

    def messages(self) -> list[tuple[str, str]]:
        """(state, text) of every line that the child wrote since the last call; lines that are no message are
        skipped.
        """
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
            with contextlib.suppress(ValueError, KeyError, TypeError):
                message = json.loads(line)
                found.append((str(message["state"]), str(message["text"])))
        return found

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def how_it_ended(self) -> str:
        code = self.process.returncode
        return f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"

    def terminate(self, patience_s: float) -> None:
        """Asks it to end, then kills it and what it started."""
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
        with contextlib.suppress(BrokenPipeError):  # it died already; has_ended will say so
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
