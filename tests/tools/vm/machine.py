"""A virtual device: Linux in user mode, so an ordinary process that boots systemd from a disk image, and dies like a power cut.

Commands go to `agent` in it by a serial line. The image stays as it is: what a machine writes goes to a file beside it,
which may be booted again.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Generous, for a machine that shares two cores with others: nothing here measures time.
BOOT_S, ANSWER_S = 300.0, 180.0
READY = "ready"


@dataclass(frozen=True)
class Parts:
    """What a machine is made of: the kernel (a program), an ext4 image, and a folder that it sees as ``/host``."""

    kernel: Path
    image: Path
    shared: Path


@dataclass(frozen=True)
class Answer:
    """What a command gave."""

    code: int
    out: str
    err: str


class Machine:
    """One virtual device; ``folder`` keeps its changed blocks and its console from one boot to the next."""

    def __init__(self, parts: Parts, folder: Path, memory_mb: int = 768) -> None:
        self.parts, self.folder, self.memory_mb = parts, folder, memory_mb
        self.console = folder / "console.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._scratch = ""
        self._received = b""
        self._asked = 0
        folder.mkdir(parents=True, exist_ok=True)

    def power_on(self, *flags: str, wait: bool = True) -> None:
        """Starts it, with more ``flags`` for the kernel; waits until it takes commands."""
        assert self._process is None, "it is on"
        self._line, theirs = socket.socketpair()
        # Its memory is a file, which is best kept in memory.
        self._scratch = tempfile.mkdtemp(prefix="vm-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        command = [str(self.parts.kernel), f"mem={self.memory_mb}M", "root=/dev/ubda", "rw", "quiet"]
        command += [f"ubd0={self.folder / 'changes'},{self.parts.image}", f"uml_dir={self._scratch}", "con=null"]
        command += ["con0=null,fd:1", f"ssl0=fd:{theirs.fileno()},fd:{theirs.fileno()}", "init=/lib/systemd/systemd"]
        command += [f"vm.shared={self.parts.shared}", *flags]
        with self.console.open("ab") as console:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env={**os.environ, "TMPDIR": self._scratch},
            )
        theirs.close()
        self._received = b""
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Until `agent` says that it takes commands."""
        self._wait_for(READY, BOOT_S)

    def run(self, command: str, timeout_s: float = ANSWER_S) -> Answer:
        """What the shell ``command`` gives, as root."""
        return self.answer_to(self.send(command), timeout_s)

    def send(self, command: str) -> str:
        """Starts a shell command; the name under which `answer_to` waits for it."""
        assert self._line is not None, "it is off"
        self._asked += 1
        name = f"r{self._asked}"
        try:
            self._line.sendall(json.dumps({"name": name, "command": command}).encode() + b"\n")
        except BrokenPipeError as error:
            raise AssertionError(f"The machine ended by itself. Its console:\n{self._said()}") from error
        return name

    def answer_to(self, name: str, timeout_s: float = ANSWER_S) -> Answer:
        """The answer to what was sent under ``name``; those to others are dropped meanwhile."""
        value = self._wait_for(name, timeout_s)
        return Answer(value["code"], value["out"], value["err"])

    def check(self, command: str, timeout_s: float = ANSWER_S) -> str:
        """What ``command`` prints; it must end with 0."""
        answer = self.run(command, timeout_s)
        assert answer.code == 0, f"{command}: ended with {answer.code}\n{answer.out}{answer.err}"
        return answer.out

    def processor_s(self) -> float:
        """Seconds of processor time that it has used so far."""
        assert self._process is not None
        return sum(ticks for _, ticks in self._members()) / os.sysconf("SC_CLK_TCK")

    def _members(self) -> Iterator[tuple[int, int]]:
        """The processes that it is made of, and their processor time in ticks."""
        assert self._process is not None
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[3]) == self._process.pid and fields[0] != "Z":  # in its session, and not dead
                    yield int(stat.parent.name), sum(map(int, fields[11:15]))

    def cut_power(self) -> None:
        """Ends it between two instructions: what was not on the disk is lost."""
        if self._process is None:
            return
        # A process that is ending may hold the disk for a moment after the machine has gone.
        while members := [
            pid for pid, _ in self._members() if pid != self._process.pid or self._process.poll() is None
        ]:
            for pid in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        self._process.wait()
        self._process = None
        assert self._line is not None
        self._line.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def shut_down(self) -> None:
        """Shuts it down properly."""
        assert self._process is not None
        self.send("systemctl poweroff")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ANSWER_S)
        self.cut_power()

    def _wait_for(self, name: str, timeout_s: float) -> dict[str, Any]:
        for value in self._values(timeout_s):
            if value.get("name") == name:
                return value
        raise AssertionError(
            f"The machine did not answer {name!r} within {timeout_s:g} s. Its console:\n{self._said()}"
        )

    def _said(self) -> str:
        return self.console.read_text(errors="replace")[-4000:]

    def _values(self, timeout_s: float) -> Iterator[dict[str, Any]]:
        assert self._line is not None, "it is off"
        until_s = time.monotonic() + timeout_s
        while (left_s := until_s - time.monotonic()) > 0:
            if not select.select([self._line], [], [], left_s)[0]:
                return
            try:
                received = self._line.recv(1 << 16)
            except ConnectionResetError:
                return
            if not received:
                return
            *lines, self._received = (self._received + received).split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError):
                    value = json.loads(line)
                    if isinstance(value, dict):
                        yield value
