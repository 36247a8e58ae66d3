"""Each command ends in one line and an exit code that says which kind of end it was."""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import DataError
from edge_runtime.system.command import interrupts_for_this_process, run_command

CONVERT = Path(__file__).parents[3] / "convert"


def interrupt() -> int:
    raise KeyboardInterrupt


def fail() -> int:
    raise DataError("The folder x holds nothing.")


def test_an_error_is_one_line_and_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(fail) == 65
    assert capsys.readouterr().err == "error: The folder x holds nothing.\n"


def test_an_interrupt_is_one_line_and_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(interrupt) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_what_is_returned_is_the_exit_code_and_a_bug_stays_a_traceback() -> None:
    assert run_command(lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 // 0)


COMMANDS = sorted(path for path in CONVERT.rglob("*.py") if 'if __name__ == "__main__"' in path.read_text("utf-8"))


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: str(path.relative_to(CONVERT)))
def test_every_command_ends_this_way(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(".".join(path.relative_to(CONVERT.parent).with_suffix("").parts))
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", lambda *_: interrupt())
    assert module.main([]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_a_name_that_is_no_utf8_is_printed_escaped(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script = "from edge_runtime.system.command import run_command\nrun_command(lambda: print('caf\\udce9'))"
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"})
    assert capfd.readouterr().out == "caf\\udce9\n"


BEGIN = """
import signal, sys, time
sys.argv[:] = ["-m"]
from edge_runtime.system.command import begin_command, run_command
begin_command()
def press():
    signal.raise_signal(signal.SIGINT)
def convert_it():
    try:
        press()
    except BaseException as error:
        raise ImportError("numpy failed to import") from None
class Closing:
    def __del__(self):
        press()
def close():
    Closing()
    time.sleep(60)
"""


def run_script(script: str, **more: Any) -> subprocess.CompletedProcess[str]:
    more = {"capture_output": True, "text": True, "check": False, "cwd": CONVERT.parent, "timeout": 120} | more
    return subprocess.run([sys.executable, "-c", BEGIN + script], **more)


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("press()", 130, "\ninterrupted\n"),
        ("sys.exit(run_command(press, 'go on with --resume'))", 130, "\ngo on with --resume\n"),
        ("sys.exit(run_command(convert_it))", 130, "\ninterrupted\n"),
        ("sys.exit(run_command(close))", 130, "\ninterrupted\n"),
        ("code = run_command(lambda: 3); press(); sys.exit(code)", 3, ""),
        ("signal.signal(signal.SIGINT, signal.SIG_IGN); sys.exit(run_command(lambda: press()))", 0, ""),
    ],
)
def test_an_interrupt_is_one_line_wherever_it_comes(script: str, code: int, said: str) -> None:
    found = run_script(script)
    assert (found.returncode, found.stderr) == (code, said)


def test_a_bug_before_the_work_keeps_its_traceback() -> None:
    assert "ValueError: a bug" in run_script("raise ValueError('a bug')").stderr


@pytest.mark.parametrize("package", ["convert", "train"])
def test_both_packages_begin_so_when_they_are_run_as_commands(package: str) -> None:
    script = f"import signal, sys; sys.argv[:] = ['-m']; import {package}; signal.raise_signal(signal.SIGINT)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=CONVERT.parent)
    assert (found.returncode, found.stderr) == (130, "\ninterrupted\n")


def test_a_program_that_imports_a_package_keeps_its_interrupts() -> None:
    script = "import signal, convert; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=CONVERT.parent)


def test_a_reader_who_left_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    found = run_script("sys.exit(run_command(lambda: print('x' * 99999)))", capture_output=False, stdout=writing)
    os.close(writing)
    assert found.returncode == 0


def test_work_goes_on_when_nobody_hears_how_far_it_is() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    work = "lambda: [print('epoch', i, file=sys.stderr, flush=True) for i in range(9)] and print('done')"
    found = run_script(f"sys.exit(run_command({work}))", capture_output=False, stdout=subprocess.PIPE, stderr=writing)
    os.close(writing)
    assert (found.returncode, found.stdout) == (0, "done\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_under_the_result_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        found = run_script(
            "sys.exit(run_command(lambda: print('x')))", capture_output=False, stdout=full, stderr=subprocess.PIPE
        )
    assert found.returncode == 73
    assert re.fullmatch(
        r"error: .*No space left on device. Check the disk and who may read and write there.\n", found.stderr
    )


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams_lead_nowhere(closed: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    begin = BEGIN.replace("import signal", f"sys_path = {str(CONVERT.parent)!r}\nimport signal")
    begin = begin.replace("sys.argv[:]", "sys.path.insert(0, sys_path)\nsys.argv[:]")
    file = tmp_path / "file"
    script.write_text(
        f"{begin}\nfile = open({str(file)!r}, 'w')\nassert file.fileno() > 2\n"
        "sys.exit(run_command(lambda: [print('a'), print('b', file=sys.stderr)] and 5))"
    )
    found = subprocess.run(f"{sys.executable} {script} {closed}", shell=True, check=False)
    assert (found.returncode, file.read_text()) == (5, "")


def test_a_lack_of_memory_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def grow() -> int:
        raise MemoryError

    assert run_command(grow) == 70
    assert (
        capsys.readouterr().err
        == "error: There is not enough memory for this. Close other programs, or ask for less.\n"
    )


def test_a_process_that_is_ended_by_this_one_hears_no_interrupt() -> None:
    child = "import signal; signal.raise_signal(signal.SIGINT); print('went on')"
    with interrupts_for_this_process():
        found = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, text=True)
    assert found.communicate()[0] == "went on\n"
    with interrupts_for_this_process():
        process = multiprocessing.get_context("spawn").Process(target=signal.raise_signal, args=(signal.SIGINT,))
        process.start()
    process.join()
    assert process.exitcode == 0
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
