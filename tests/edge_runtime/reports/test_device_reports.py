"""What a device is told about itself: doctor against a fake root, memory, timings, and the text that people read."""

from __future__ import annotations

import errno
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import cli
from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.lock import lock_camera
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.errors import UsageError
from edge_runtime.inference.postprocess import ClassScore, Prediction
from edge_runtime.live.results import Counts, Event, Percentiles, Result, Status
from edge_runtime.live.timings import Timings
from edge_runtime.outputs.changes import ChangesOnly
from edge_runtime.outputs.formats import open_sink
from edge_runtime.outputs.jsonl import make_result_object
from edge_runtime.outputs.stdout import Outlet
from edge_runtime.outputs.text import TextSink, format_result_line, format_status
from edge_runtime.reports.doctor import Finding, check_camera, check_device, format_finding
from edge_runtime.system.memory import measure_pss_mb

PREDICTION = Prediction(1, "cat", 0.8, (ClassScore("cat", 0.8), ClassScore("dog", 0.15)), False)


def findings(root: Path, model: Path) -> dict[str, Finding]:
    return {finding.what: finding for finding in check_device(str(model), root=root)}


def fake_pi(root: Path, available_kb: int = 300_000) -> Path:
    for folder in ("proc/device-tree", "dev", "sys/class/video4linux/video0"):
        (root / folder).mkdir(parents=True)
    (root / "proc/device-tree/model").write_text("Raspberry Pi 4 Model B Rev 1.5\0")
    (root / "proc/meminfo").write_text(f"MemTotal: 900000 kB\nMemAvailable: {available_kb} kB\n")
    (root / "dev/video0").touch()
    (root / "sys/class/video4linux/video0/name").write_text("USB Camera\n")
    return root


def test_a_pi_is_recognised_with_its_cameras_and_the_missing_package(
    tmp_path: Path, toy_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = findings(fake_pi(tmp_path), toy_path)
    assert found["system"].found.startswith("Raspberry Pi 4 Model B Rev 1.5, ")
    assert found["/dev/video0"].found == "USB Camera, is not a camera (it does not speak V4L2)", "the kernel is asked"
    assert "sudo apt install rpicam-apps-lite" in found["Pi camera (csi)"].remedy
    assert found["memory"].found == "307 MB available"


def test_the_pi_camera_program_is_found_on_the_path(
    tmp_path: Path, toy_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "rpicam-vid"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert findings(tmp_path, toy_path)["Pi camera (csi)"] == Finding(
        "ok", "Pi camera (csi)", f"{program} is installed"
    )


def test_cameras_are_told_as_a_run_would_find_them_with_the_path_that_stays(fake_cameras: Any, toy_path: Path) -> None:
    fake_cameras.plug_in(0, serial="7")
    fake_cameras.plug_in(1, index=1, serial="7", capabilities=0x800000)
    fake_cameras.plug_in(2, "Door", "usb-2", requested=errno.EBUSY)
    fake_cameras.plug_in(3, "Old", "usb-3", formats=(b"H264",))
    found = findings(fake_cameras.root, toy_path)
    stays = "the path that stays with this camera: /dev/v4l/by-id/usb-"
    assert found["/dev/video0"] == Finding("ok", "/dev/video0", "C270", f"{stays}C270-7-video-index0")
    assert found["/dev/video1"] == Finding(
        "ok", "/dev/video1", "C270, a metadata or output node, which gives no images"
    )
    busy, unreadable = found["/dev/video2"], found["/dev/video3"]
    assert (busy.level, busy.found) == ("note", "Door, is in use by another program")
    assert busy.remedy.startswith("see which with: fuser -v ") and busy.remedy.endswith(f"{stays}Door-video-index0")
    assert (unreadable.level, unreadable.found) == (
        "problem",
        "Old, sends H264, expected MJPG, YUYV or another that OpenCV reads",
    )


@pytest.mark.usefixtures("machine_cameras")
def test_doctor_opens_the_camera_that_it_is_asked_about(
    tmp_path: Path, toy_path: Path, network_camera: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = check_camera(network_camera.address.replace("//", "//me:secret@"), CameraOptions())
    assert seen.level == "ok" and re.fullmatch(
        r"http://127.0.0.1:\d+ gave a frame of 320x240 after \d+\.\d s", seen.found
    )
    network_camera.stop()
    refused = check_camera(network_camera.address, CameraOptions())
    assert refused.level == "problem" and "cannot be reached: Connection refused; check address" in refused.found
    missing = check_camera("/dev/video97", CameraOptions())
    assert (missing.level, missing.what) == ("problem", "camera /dev/video97")
    assert "There is no camera /dev/video97" in missing.found
    assert check_camera("nothing-like-that", CameraOptions()).found.startswith(
        "There is no camera, video file or folder"
    )
    with lock_camera(CameraAddress("device", "97")):
        held = check_camera("/dev/video97", CameraOptions())
    assert (held.level, held.found[:28]) == ("note", "Another edge-runtime holds t")
    assert cli.main(["doctor", "--model", str(toy_path), "--camera", "synthetic", "--format", "jsonl"]) in (0, 1)
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["level"], last["what"]) == ("ok", "camera synthetic") and "a frame of 640x480" in last["found"]


def test_doctor_says_what_helps_with_a_camera_that_is_silent_or_slower_than_it_waits(
    network_camera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    network_camera.stalled.set()
    monkeypatch.setattr("edge_runtime.reports.doctor.FIRST_FRAME_S", 0.3)
    silent = check_camera(network_camera.address, CameraOptions())
    assert silent.level == "problem" and re.fullmatch(
        r"no frame within 0 s: http://127.0.0.1:\d+ is silent; check cable, power and address, or say how slow it is by "
        r"nature \(`expect_fps`\)",
        silent.found,
    )


def test_a_camera_without_permission_is_a_problem_with_its_group(
    tmp_path: Path, toy_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = fake_pi(tmp_path)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    finding = findings(root, toy_path)["/dev/video0"]
    assert finding.level == "problem"
    assert "sudo usermod -aG " in finding.remedy


def test_little_memory_no_camera_and_an_unreadable_root_are_said(tmp_path: Path, toy_path: Path) -> None:
    assert findings(fake_pi(tmp_path / "small", 50_000), toy_path)["memory"].level == "problem"
    empty = findings(tmp_path / "empty", toy_path)
    assert empty["USB cameras"].found == "no /dev/video*"
    assert empty["memory"].found == "unknown"


def test_no_interpreter_is_a_problem_with_the_command_that_helps(
    tmp_path: Path, toy_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.inference.interpreter.list_available_backends", lambda: ())
    found = findings(tmp_path, toy_path)["interpreter"]
    assert (found.level, found.found) == ("problem", "none found")
    assert "pip install 'edge-runtime[litert]'" in found.remedy
    monkeypatch.setattr("edge_runtime.inference.interpreter.list_available_backends", lambda: ("tflite",))
    assert findings(tmp_path, toy_path)["interpreter"].level == "note"


def test_a_finding_is_one_line() -> None:
    assert format_finding(Finding("ok", "numpy", "1.26")) == "     ok  numpy: 1.26"
    assert format_finding(Finding("problem", "numpy", "missing", "install it")) == "problem  numpy: missing; install it"


def test_memory_is_the_sum_over_processes_and_gone_ones_count_nothing(tmp_path: Path) -> None:
    import os

    for pid, kib in ((os.getpid(), 1000), (7, 500)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "smaps_rollup").write_text(f"55d0-7ffc ---p [rollup]\nRss: 9999 kB\nPss:     {kib} kB\n")
    assert measure_pss_mb((7, 8), tmp_path) == 1.5
    assert measure_pss_mb((7,), tmp_path / "nothing") is None
    assert (measure_pss_mb() or 0) > 5


def test_timings_keep_only_the_last_durations_of_each_stage() -> None:
    timings = Timings(capacity=4)
    for duration in (1000.0, 1000.0, 1.0, 2.0, 3.0, 4.0):
        timings.add("invoke", duration)
    timings.add("write", 7.0)
    summary = timings.summary()
    assert list(summary) == ["invoke", "write"]
    assert summary["invoke"].p50 == pytest.approx(2.5)
    assert summary["invoke"].p99 < 5
    assert summary["write"] == Percentiles(7.0, 7.0, 7.0)


def test_a_result_is_a_line_with_its_frame_age_and_runners_up() -> None:
    result = Result(12, 0.0, 8.4, PREDICTION, 3)
    assert format_result_line(result) == "frame 12: cat 0.80  (dog 0.15)  8 ms old"
    named = Result(0, 0.0, 8.4, PREDICTION, 0, "a.jpg", held="")
    assert format_result_line(named) == "a.jpg: (undecided)  (cat 0.80, dog 0.15)"
    held = Result(12, 0.0, 8.4, PREDICTION, 3, held="dog", held_score=0.7)
    assert format_result_line(held) == "frame 12: dog 0.70  (cat 0.80)  8 ms old", (
        "a held label stands beside its own score"
    )


def test_a_held_label_goes_to_programs_with_its_own_score() -> None:
    held = make_result_object(Result(12, 0.0, 8.4, PREDICTION, 3, held="dog", held_score=0.7))
    assert (held["label"], held["score"], held["held"], held["held_score"]) == ("cat", 0.8, "dog", 0.7)
    assert make_result_object(Result(12, 0.0, 8.4, PREDICTION, 3, held=""))["held_score"] is None


def test_control_characters_never_reach_a_terminal() -> None:
    evil = "cat\x1b]0;you\x07\u202e\x9b2J"
    line = format_result_line(Result(1, 0.0, 1.0, Prediction(0, evil, 0.8, (), False), 0))
    assert line == r"frame 1: cat\x1b]0;you\x07\u202e\x9b2J 0.80  1 ms old"
    people = io.StringIO()
    open_sink("text", Outlet(io.StringIO()), people).event(Event(0.0, "camera", "no_camera", f"it answered {evil}"))
    assert people.getvalue() == "camera: no_camera: it answered " + r"cat\x1b]0;you\x07\u202e\x9b2J" + "\n"


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_only_changes_are_printed_where_that_is_asked_for(form: str, clock: Any) -> None:
    out = io.StringIO()
    sink = ChangesOnly(open_sink(form, Outlet(out), io.StringIO()), clock)

    def show(*labels: str) -> int:
        before = out.getvalue().count('"prediction"' if form == "jsonl" else "frame")
        for label in labels:
            clock.now_s += 1.0
            sink.result(Result(1, 0.0, 1.0, Prediction(0, label, 0.8, (), False), 0))
        return out.getvalue().count('"prediction"' if form == "jsonl" else "frame") - before

    assert show(*["cat"] * 50) == 1
    assert show("dog", "dog", "cat") == 2
    sink.event(Event(0.0, "camera", "no_camera", "it is gone"))
    assert show("cat", "cat") == 1, "after an outage the label is said again"
    assert isinstance(open_sink(form, Outlet(out), io.StringIO(), changes_only=True), ChangesOnly)


def test_the_summary_tells_every_count_and_percentile() -> None:
    counts = Counts(100, 90, 8, 2, refused=5, too_old=3, bad=4, restarts=1)
    age = Percentiles(1.0, 2.0, 3.0)
    status = Status(0.0, "cam", "litert-xnnpack 2.3.0", 10.0, 8.5, counts, age, {"wait": age}, 78.4)
    text = format_status(status)
    assert (
        "cam: 100 frames in 10.0 s (8.5 labels per second): 90 looked at, 5 refused, 8 dropped (3 too old), 2 in flight"
        in text
    )
    assert "4 damaged images, 1 camera restarts" in text
    assert "memory of all processes 78 MB" in text
    assert [line.split() for line in text.splitlines()[-2:]] == [
        ["frame", "age", "1.00", "2.00", "3.00"],
        ["wait", "1.00", "2.00", "3.00"],
    ]


def test_text_goes_to_stdout_for_labels_and_to_people_for_the_rest() -> None:
    out, people = io.StringIO(), io.StringIO()
    sink = open_sink("text", Outlet(out), people)
    assert isinstance(sink, TextSink)
    sink.result(Result(1, 0.0, 1.0, PREDICTION, 0))
    sink.event(Event(0.0, "camera", "frozen", "the same image for 5.0 s"))
    assert out.getvalue() == "frame 1: cat 0.80  (dog 0.15)  1 ms old\n"
    assert people.getvalue() == "camera: frozen: the same image for 5.0 s\n"


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UsageError, match=r"The format is 'xml', expected one of text, jsonl"):
        open_sink("xml", Outlet(io.StringIO()), io.StringIO())
