"""The rotating log: its limit, whole lines whatever happens, and a full disk (a real one, of 64 kB, where it can be had)."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_runtime.errors import OutputError, UsageError
from edge_runtime.inference.postprocess import ClassScore, Prediction
from edge_runtime.live.results import Event, Result
from edge_runtime.outputs.log_file import LogFileSink, RotatingFile

ROOT = Path(__file__).parents[3]


def result(seq: int) -> Result:
    return Result(seq, 1.7e9, 5.0, Prediction(0, "cat", 0.9, (ClassScore("cat", 0.9),), False), 0)


def lines_of(*paths: Path) -> list[dict[str, object]]:
    return [json.loads(line) for path in paths if path.exists() for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_a_million_lines_stay_within_the_limit_and_every_line_parses(tmp_path: Path) -> None:
    path, limit = tmp_path / "labels.jsonl", 1_000_000
    file = RotatingFile(path, limit)
    for number in range(1_000_000):
        file.append(b'{"v":1,"type":"prediction","seq":%d,"label":"cat"}\n' % number)
        if number % 9973 == 0:
            assert sum(each.stat().st_size for each in tmp_path.iterdir()) <= limit
    file.close()
    numbers = [line["seq"] for line in lines_of(Path(f"{path}.1"), path)]
    assert numbers == list(range(1_000_000 - len(numbers), 1_000_000))
    assert len(numbers) > 9_000
    assert sorted(each.name for each in tmp_path.iterdir()) == ["labels.jsonl", "labels.jsonl.1"]


def test_a_line_that_was_cut_by_a_power_failure_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b'{"seq":1}\n{"seq":2}\n{"se')
    file = RotatingFile(path, 10_000)
    file.append(b'{"seq":3}\n')
    file.close()
    assert [line["seq"] for line in lines_of(path)] == [1, 2, 3]


def test_results_events_and_the_status_are_all_written(tmp_path: Path) -> None:
    sink = LogFileSink(tmp_path / "log")
    sink.result(result(1))
    sink.event(Event(1.7e9, "camera", "frozen", "the same image"))
    sink.close()
    assert [line["type"] for line in lines_of(tmp_path / "log")] == ["prediction", "event"]


def test_a_line_that_fits_only_in_part_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    file = RotatingFile(path, 10_000)
    file.append(b'{"seq":1}\n')
    write, calls = os.write, []

    def partial(fd: int, content: bytes) -> int:
        calls.append(content)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(fd, content[:4])

    monkeypatch.setattr(os, "write", partial)
    with pytest.raises(OSError, match="No space left"):
        file.append(b'{"seq":2}\n')
    monkeypatch.undo()
    file.append(b'{"seq":3}\n')
    file.close()
    assert [line["seq"] for line in lines_of(path)] == [1, 3]


def test_a_file_that_cannot_be_opened_and_a_tiny_or_endless_limit_are_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"The log file .* cannot be written \(No such file or directory\)"):
        LogFileSink(tmp_path / "none" / "log")
    for limit_mb in (0.01, float("inf"), float("nan")):
        with pytest.raises(UsageError, match=rf"`log_limit_mb` is {limit_mb:g}, expected a number of at least 0.1"):
            LogFileSink(tmp_path / "log", limit_mb)


def test_a_patient_log_begins_without_its_disk_tells_so_and_goes_on_when_it_comes(tmp_path: Path) -> None:
    sink = LogFileSink(tmp_path / "disk" / "log", patient=True)
    (event,) = sink.take_events()
    assert (event.kind, event.state) == ("log", "failing")
    assert "log cannot be written (No such file or directory); free or remount the disk" in event.reason
    (tmp_path / "disk").mkdir()
    sink.result(result(7))
    sink.close()
    assert [line["seq"] for line in lines_of(tmp_path / "disk" / "log")] == [7]
    assert [event.state for event in sink.take_events()] == ["ok"]


def test_a_name_that_is_no_utf8_is_logged_and_read_back(tmp_path: Path) -> None:
    sink = LogFileSink(tmp_path / "log")
    name = "bad\udcff.png"
    sink.result(dataclasses.replace(result(1), name=name))
    sink.result(result(2))
    sink.close()
    assert [line.get("name") for line in lines_of(tmp_path / "log")] == [name, None]


def test_a_full_device_is_one_event_and_the_sink_goes_on() -> None:
    sink = LogFileSink(Path("/dev/full"))
    for number in range(50):
        sink.result(result(number))
    end_s = time.monotonic() + 10
    while sink.num_lost < 50 and time.monotonic() < end_s:
        time.sleep(0.01)
    sink.close()
    assert sink.num_lost == 50
    (event,) = sink.take_events()
    assert (event.kind, event.state) == ("log", "failing")
    assert "/dev/full cannot be written (No space left on device)" in event.reason


FULL_DISK = """
set -e
mount -t tmpfs -o size=64k none "$1"
"$2" -m edge_runtime run --camera synthetic:320x240@150 --frames 600 --format jsonl --log-file "$1/log" --log-limit-mb 1 \
  --save-changes "$1/saved" > "$3"
"$2" -c 'import json, sys; [json.loads(line) for line in open(sys.argv[1])]' "$1/log"
"""


READ_ONLY_DISK = """
set -e
mount -t tmpfs -o size=400m none "$1"
"$2" -m edge_runtime run --camera synthetic:320x240@60 --frames 360 --threshold 1.0 --format jsonl \\
  --save-uncertain "$1/saved" > "$3" &
while [ -z "$(ls "$1/saved"/*.jpg 2> /dev/null)" ]; do sleep 0.1; done
mount -o remount,ro "$1"
wait $!
"""


def lines_of_run_on_a_disk(script: str, folder: Path) -> list[dict[str, object]]:
    """What a run wrote to stdout; skips where no disk can be mounted."""
    disk, out = folder / "disk", folder / "out"
    disk.mkdir()
    inside = ["unshare", "--map-root-user", "--mount"]
    try:
        can = subprocess.run([*inside, "mount", "-t", "tmpfs", "none", str(disk)], capture_output=True).returncode == 0
    except FileNotFoundError:
        can = False
    if not can:
        pytest.skip("this machine does not let us mount a small disk in a namespace of our own")
    command = [*inside, "sh", "-c", script, "sh", str(disk), sys.executable, str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return lines_of(out)


@pytest.mark.slow
def test_a_run_on_a_full_disk_keeps_giving_labels_and_says_so_once(tmp_path: Path) -> None:
    lines = lines_of_run_on_a_disk(FULL_DISK, tmp_path)
    assert sum(line["type"] == "prediction" for line in lines) == 600
    failing = [line["event"] for line in lines if line.get("state") == "failing"]
    assert sorted(map(str, failing)) == ["log", "recorder"]


@pytest.mark.slow
def test_a_disk_that_turns_read_only_costs_images_and_no_label(tmp_path: Path) -> None:
    lines = lines_of_run_on_a_disk(READ_ONLY_DISK, tmp_path)
    assert sum(line["type"] == "prediction" for line in lines) == 360
    (failing,) = [line for line in lines if line.get("state") == "failing"]
    assert failing["event"] == "recorder"
    assert "Read-only file system" in str(failing["reason"])
