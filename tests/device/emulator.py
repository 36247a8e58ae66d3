"""Runs the Python of a root on an emulated processor, and measures its memory and, if wanted, its instructions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from tests.device.rows import Row

TIMEOUT_S = 180


@dataclass(frozen=True)
class Done:
    """How a program ended; ``peak_mb`` in 10^6 bytes includes the emulator; ``instructions`` None unless counted."""

    exit_code: int
    out: str
    err: str
    peak_mb: float
    instructions: int | None


class Device:
    """One root on one processor. ``folders`` become PYTHONPATH."""

    def __init__(self, row: Row, root: Path, cpu: str, folders: tuple[Path, ...], work: Path) -> None:
        self.row, self.root, self.cpu, self.work = row, root, cpu, work
        self._python = root / "usr" / "bin" / f"python{row.python}"
        # A program that the emulated one starts is run by this machine's kernel, which cannot run ARM code: sys.executable
        # is therefore a script that brings the emulator along.
        self._script = root / "usr" / "bin" / f"emulated-{row.emulator}-{os.getpid()}"
        command = f'{row.emulator}-static -L "{root}" -0 "$0" "{self._python}" "$@"'
        self._script.write_text(f"#!/bin/sh\nexec /usr/bin/{command}\n")
        self._script.chmod(0o755)
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "QEMU_CPU": cpu,
            "HOME": str(work),
            "EDGE_RUNTIME_STORE": str(work / "store"),
        }

    def run(self, *arguments: str | Path, counting: Path | None = None) -> Done:
        """`run_once`, and again when it hangs: the emulator itself stops now and then when threads start."""
        try:
            return self.run_once(*arguments, counting=counting)
        except TimeoutError as error:
            print(f"  {error}; again", file=sys.stderr, flush=True)
            return self.run_once(*arguments, counting=counting)

    def run_once(self, *arguments: str | Path, counting: Path | None = None) -> Done:
        """Runs ``python ARGUMENTS``; ``counting`` is the built `icount.c` to count instructions with.

        Raises:
            TimeoutError: it takes more than three minutes.
        """
        command = [str(self._script)]
        environment = dict(self._environment)
        count_file = self.work / "instructions"
        if counting is not None:
            count_file.unlink(missing_ok=True)
            environment["ICOUNT_OUT"] = str(count_file)
            command = [self.row.emulator, "-L", str(self.root), "-plugin", str(counting), "-d", "plugin"]
            command += ["-D", os.devnull, str(self._python)]
        command += map(str, arguments)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(command, stdout=out, stderr=err, env=environment, cwd=self.work)
            late = threading.Timer(TIMEOUT_S, process.kill)
            late.start()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            was_late = not late.is_alive()
            late.cancel()
            if was_late:
                raise TimeoutError(f"{self.row.name} on {self.cpu}: {' '.join(command)} took more than {TIMEOUT_S} s")
            out.seek(0)
            err.seek(0)
            texts = [stream.read().decode(errors="replace") for stream in (out, err)]
        instructions = int(count_file.read_text()) if counting is not None and count_file.exists() else None
        return Done(process.returncode, texts[0], texts[1], usage.ru_maxrss * 1024 / 1e6, instructions)

    def close(self) -> None:
        self._script.unlink(missing_ok=True)


def build_counter(work: Path) -> Path | None:
    """`icount.c` as a library in ``work``; None where there is no C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    library = work / "icount.so"
    source = Path(__file__).with_name("icount.c")
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library
