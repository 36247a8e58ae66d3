"""What is printed never holds up a live run, waits for its reader otherwise, and ends when a run shall end."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from edge_runtime.outputs.stdout import Outlet


@pytest.fixture
def pipe() -> Iterator[tuple[TextIO, int]]:
    """The writing end as text, and the reading end's descriptor."""
    reading, writing = os.pipe()
    with open(writing, "w", encoding="utf-8") as out:
        yield out, reading
    os.close(reading)


def test_lines_go_out_at_once_to_a_text_in_memory_a_file_and_a_pipe(tmp_path: Path, pipe: tuple[TextIO, int]) -> None:
    memory = io.StringIO()
    with open(tmp_path / "file", "w", encoding="utf-8") as file:
        for out in (memory, file, pipe[0]):
            Outlet(out, live=True).write("one")
        assert (tmp_path / "file").read_text() == memory.getvalue() == os.read(pipe[1], 100).decode() == "one\n"


def test_a_live_run_loses_lines_that_nobody_reads_and_says_so_once(pipe: tuple[TextIO, int]) -> None:
    out, reading = pipe
    outlet = Outlet(out, live=True)
    for number in range(3_000):
        outlet.write(f"{number:099}")
    assert 2_000 < outlet.num_lost < 3_000
    assert [(event.kind, event.state) for event in outlet.take_events()] == [("stdout", "failing")]
    printed = os.read(reading, 1 << 20).decode().splitlines()
    assert [int(line) for line in printed] == list(range(3_000 - outlet.num_lost))
    outlet.write("again")
    assert os.read(reading, 1 << 20) == b"again\n"
    (event,) = outlet.take_events()
    assert event.state == "ok" and f"{outlet.num_lost} lines were lost" in event.reason


def test_what_has_an_end_waits_for_a_slow_reader_and_loses_nothing(pipe: tuple[TextIO, int]) -> None:
    out, reading = pipe
    outlet = Outlet(out)
    found: list[bytes] = []

    def read() -> None:
        while not found or not found[-1].endswith(b"end\n"):
            found.append(os.read(reading, 4096))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(3_000):
        outlet.write(f"{number:099}")
    outlet.write("end")
    reader.join(20)
    assert outlet.num_lost == 0 and b"".join(found).count(b"\n") == 3_001


def test_a_run_that_shall_end_does_not_wait_for_a_reader(pipe: tuple[TextIO, int]) -> None:
    outlet = Outlet(pipe[0], should_stop=lambda: True)
    for number in range(3_000):
        outlet.write(f"{number:099}")
    assert outlet.num_lost > 2_000


@pytest.mark.parametrize("camera", ["synthetic:320x240@150", "images"])
def test_one_sigterm_ends_a_run_whose_reader_sleeps(camera: str, toy_path: Path, tmp_path: Path) -> None:
    import cv2
    import numpy as np

    (tmp_path / "images").mkdir()
    for number in range(40):
        assert cv2.imwrite(str(tmp_path / "images" / f"{number:03d}-{'long' * 40}.png"), np.zeros((8, 8, 3), np.uint8))
    command = [sys.executable, "-m", "edge_runtime", "run", "--model", str(toy_path), "--camera"]
    command.append(str(tmp_path / "images") if camera == "images" else camera)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    filler = 0
    try:
        while True:
            filler += os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    with subprocess.Popen([*command, "--format", "jsonl"], stdout=writing, stderr=subprocess.PIPE, text=True) as run:
        os.close(writing)
        assert run.stderr is not None
        assert any("Ctrl-C ends" in line for line in run.stderr)
        time.sleep(0.5)
        assert run.poll() is None
        run.send_signal(signal.SIGTERM)
        assert run.wait(10) == 0
    assert len(os.read(reading, 1 << 20)) == filler
    os.close(reading)


def test_an_image_whose_name_is_no_utf8_is_printed_and_the_next_one_too(toy_path: Path, tmp_path: Path) -> None:
    import cv2
    import numpy as np

    coded = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    for name in (b"a\xff.png", b"b.png"):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(coded)
    command = [sys.executable, "-m", "edge_runtime", "run", "--model", str(toy_path), "--camera", str(tmp_path)]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run([*command, "--format", "jsonl"], capture_output=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["name"] for line in lines if line["type"] == "prediction"] == ["a\udcff.png", "b.png"]
