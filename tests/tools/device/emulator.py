"""Runs the Python of a root on an emulated processor, and measures its memory and, if wanted, its instructions."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.tools.device.rows import Row

# Counted in looks, not by the clock, so that time in which everything is suspended does not count.
LOOK_S = 0.1
TIMEOUT_LOOKS = 3000
STALLED_LOOKS = 200
TRIES = 3


@dataclass(frozen=True)
class Done:
    """How a program ended; ``peak_mb`` in 10^6 bytes includes the emulator; ``counts`` are the instructions executed up to
    each mark that the program set, when they were counted.
    """

    exit_code: int
    out: str
    err: str
    peak_mb: float
    counts: tuple[int, ...] = ()


class Device:
    """One root on one processor, with the folder ``work`` for itself. ``folders`` become PYTHONPATH."""

    def __init__(self, row: Row, root: Path, cpu: str, folders: tuple[Path, ...], work: Path) -> None:
        self.row, self.root, self.cpu, self.work = row, root, cpu, work
        self.num_stalls = 0
        self._python = root / "usr" / "bin" / f"python{row.python}"
        # A program that the emulated one starts is run by this machine's kernel, which cannot run ARM code: sys.executable
        # is therefore a script that brings the emulator along.
        self._script = root / "usr" / "bin" / f"emulated-{row.name}-{cpu}-{os.getpid()}"
        command = f'{row.emulator}-static -L "{root}" -0 "$0" "{self._python}" "$@"'
        self._script.write_text(f"#!/bin/sh\nexec /usr/bin/{command}\n")
        self._script.chmod(0o755)
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
            "QEMU_CPU": cpu,
            "HOME": str(work),
            "EDGE_RUNTIME_STORE": str(work / "store"),
        }

    def run(self, *arguments: str | Path, counting: Path | None = None) -> Done:
        """Runs ``python ARGUMENTS``, and again when it stands still: the emulator itself now and then stops when threads
        start. ``counting`` is the built `icount.c`.

        Raises:
            TimeoutError: it stood still three times, or took more than five minutes.
        """
        for _ in range(TRIES - 1):
            try:
                return self._run_once(*arguments, counting=counting)
            except TimeoutError as error:
                self.num_stalls += 1
                print(f"  {error}; again", file=sys.stderr, flush=True)
        return self._run_once(*arguments, counting=counting)

    def _run_once(self, *arguments: str | Path, counting: Path | None) -> Done:
        command = [str(self._script)]
        environment = dict(self._environment)
        count_file = self.work / "instructions"
        count_file.unlink(missing_ok=True)
        if counting is not None:
            environment["ICOUNT_OUT"] = str(count_file)
            command = [self.row.emulator, "-L", str(self.root), "-plugin", str(counting), "-d", "plugin"]
            command += ["-D", os.devnull, str(self._python)]
        command += map(str, arguments)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(command, stdout=out, stderr=err, env=environment, cwd=self.work)
            try:
                peak_mb = wait_for(process)
            except TimeoutError as error:
                raise TimeoutError(f"{self.row.name} on {self.cpu}: {' '.join(map(str, arguments))} {error}") from None
            out.seek(0)
            err.seek(0)
            texts = [stream.read().decode(errors="replace") for stream in (out, err)]
        counts = tuple(map(int, count_file.read_text().split())) if count_file.exists() else ()
        return Done(process.returncode, texts[0], texts[1], peak_mb, counts)

    def close(self) -> None:
        self._script.unlink(missing_ok=True)


def wait_for(process: subprocess.Popen[bytes]) -> float:
    """Waits until ``process`` ended and sets its ``returncode``; its peak memory in 10^6 bytes.

    Raises:
        TimeoutError: it and its children used no processor for `STALLED_LOOKS`, or lived for `TIMEOUT_LOOKS`; all are killed.
    """
    used, last_change = -1, 0
    for look in range(TIMEOUT_LOOKS):
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_maxrss * 1024 / 1e6
        if look % 10 == 0:
            now = sum(map(_processor_ticks, _tree(process.pid)))
            if now != used:
                used, last_change = now, look
        if look - last_change >= STALLED_LOOKS:
            break
        time.sleep(LOOK_S)
    for child in reversed(_tree(process.pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    process.wait()
    stalled = look - last_change >= STALLED_LOOKS
    raise TimeoutError(f"stood still for {STALLED_LOOKS * LOOK_S:.0f} s" if stalled
                       else f"took more than {TIMEOUT_LOOKS * LOOK_S:.0f} s")  # fmt: skip


def _tree(pid: int) -> list[int]:
    """``pid`` and all processes below it, parents first."""
    found = [pid]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_text().split())
    return found


def _processor_ticks(pid: int) -> int:
    """What ``pid`` has used so far, in ticks of the kernel; 0 when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def build_counter(work: Path) -> Path | None:
    """`icount.c` as a library in ``work``; None where there is no C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    library = work / "icount.so"
    source = Path(__file__).with_name("icount.c")
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library
