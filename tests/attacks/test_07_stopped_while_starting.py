"""Attack 7: stop the service while it starts, so that it counts as failed. Stopped by a handler from the first line on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_runtime.system.signals import StopRequest

ROOT = Path(__file__).parents[2]
# Says when the first line of ours is about to run, for Python itself takes time before, and dies of signals then.
PROGRAM = """
import os, runpy, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.write(2, b"begins\\n")
sys.argv[0] = "edge-runtime"
real = signal.signal
def install(number, handler):
    real(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
signal.signal = install
runpy.run_module("edge_runtime", run_name="__main__")
"""


@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.3, 0.6, 1.0, 1.5])
def test_a_run_that_is_stopped_while_it_starts_ends_with_0(delay_s: float, toy_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "run", "--model", str(toy_path), "--camera", "synthetic"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        assert run.stderr is not None and run.stderr.readline() == b"begins\n"
        time.sleep(delay_s)
        run.send_signal(signal.SIGTERM)
        errors = run.stderr.read()
        assert run.wait(60) == 0, errors
    assert b"Traceback" not in errors


WHO_HEARS = """
import signal, sys
sys.argv[:], sys.orig_argv = {argv!r}, {orig!r}
import edge_runtime
print(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL)
"""


@pytest.mark.parametrize(
    ("argv", "orig", "hears"),
    [
        (["-m", "run"], ["python", "-m", "edge_runtime", "run"], True),
        (["/opt/bin/edge-runtime", "run"], ["python", "/opt/bin/edge-runtime", "run"], True),
        (["-m", "run"], ["python", "-m", "a_program_that_imports_it", "run"], False),
        (["program.py", "run"], ["python", "program.py", "run"], False),
        (["/opt/bin/edge-runtime", "install"], ["python", "/opt/bin/edge-runtime", "install"], False),
    ],
)
def test_the_package_itself_hears_the_signal_when_it_is_the_command_run(
    argv: list[str], orig: list[str], hears: bool
) -> None:
    program = WHO_HEARS.format(argv=argv, orig=orig)
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == f"{hears}\n", found.stderr


def test_while_starting_the_signal_unwinds_and_later_it_is_a_question() -> None:
    stop = StopRequest(is_starting=True)
    with pytest.raises(SystemExit) as caught:
        stop._handle(signal.SIGTERM, None)
    assert caught.value.code == 0 and stop()
    stop = StopRequest()
    stop._handle(signal.SIGTERM, None)
    assert stop()
