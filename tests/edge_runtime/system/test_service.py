"""The systemd unit and the watchdog: few rights, honest pings, and an end when the pipeline hangs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.cli.run import unit_checks
from edge_runtime.cli.run.service import find_lasting_program
from edge_runtime.cli.run.systemd_unit import ServiceConfig, write_unit_text
from edge_runtime.errors import ConfigurationError
from edge_runtime.system.watchdog import Watchdog
from tests.patience import HANG_S

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    path = tmp_path / "edge-runtime.service"
    path.write_text(write_unit_text(ServiceConfig(("/bin/true",), ("--camera", "0"))))
    return path


@needs_systemd
def test_systemd_finds_nothing_to_say_about_the_unit(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    own = [line for line in (done.stdout + done.stderr).splitlines() if "edge-runtime" in line]
    assert (done.returncode, own) == (0, [])


@needs_systemd
def test_the_exposure_is_at_most_two(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(unit)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-400:]


def test_arguments_are_quoted_as_systemd_reads_them() -> None:
    text = write_unit_text(ServiceConfig(("/opt/e",), ("--camera", "rtsp://a:b%c@h/x y", '--save=$HOME"')))
    assert (
        'ExecStart=/opt/e run --give-up-s inf --changes-only --camera "rtsp://a:b%%c@h/x y" "--save=$$HOME\\""' in text
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (dict(program=("edge-runtime",)), "expected an absolute path"),
        (dict(program=("/home/pi/venv/bin/edge-runtime",)), "is in a home folder, which the service may not read"),
        (dict(program=("/opt/e",), memory_mb=10), "`memory_mb` is 10, expected at least 150"),
    ],
)
def test_a_unit_that_could_not_work_is_refused(config: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ServiceConfig(**config)  # type: ignore[arg-type]


def test_an_argument_with_a_line_break_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has a line break, which a unit cannot hold"):
        write_unit_text(ServiceConfig(("/opt/e",), ("--camera", "0\nExecStartPre=/bin/sh")))


def test_the_verb_prints_the_unit(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["service", "--program", "/opt/e", "--format", "jsonl", "--", "--camera", "csi"]) == 0
    assert "run --give-up-s inf --changes-only --camera csi" in json.loads(capsys.readouterr().out)["text"]


def test_a_unit_follows_the_link_that_names_its_release(tmp_path: Path) -> None:
    for release in ("old", "new"):
        (tmp_path / "releases" / release / "bin").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/new")
    old, new = (tmp_path / "releases" / release / "bin" / "edge-runtime" for release in ("old", "new"))
    assert find_lasting_program(new) == tmp_path / "current" / "bin" / "edge-runtime"
    assert find_lasting_program(old) == old
    assert find_lasting_program(Path("/opt/edge-runtime/bin/edge-runtime")) == Path(
        "/opt/edge-runtime/bin/edge-runtime"
    )


class Manager:
    """The socket that systemd listens on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def next(self, timeout_s: float = HANG_S) -> str | None:
        self._socket.settimeout(timeout_s)
        try:
            return self._socket.recv(4096).decode()
        except TimeoutError:
            return None

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def test_ready_comes_at_once_and_pings_at_a_quarter_of_the_period(manager: Manager) -> None:
    now_s = 0.0
    watchdog = Watchdog({"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "40000000"}, lambda: now_s)
    watchdog.alive()  # before any frame: starting must not time out where a camera is missing
    assert (manager.next(), manager.next(), manager.next()) == ("READY=1", "STATUS=0 labels", "WATCHDOG=1")
    now_s = 9.9
    watchdog.alive()
    now_s = 10.0
    watchdog.alive()
    watchdog.stopping()
    assert (manager.next(), manager.next(), manager.next(0.0001)) == ("WATCHDOG=1", "STOPPING=1", None)


def test_the_number_of_labels_is_told_at_most_once_a_second_and_only_when_it_changed(manager: Manager) -> None:
    now_s = 0.0
    watchdog = Watchdog({"NOTIFY_SOCKET": str(manager.path)}, lambda: now_s)
    for frame in range(100):  # 30 labels per second, then none
        now_s = frame / 30
        watchdog.alive(min(frame, 70))
    watchdog.stopping()
    told = [manager.next() for _ in range(6)]
    assert told == ["READY=1", "STATUS=0 labels", "STATUS=30 labels", "STATUS=60 labels", "STATUS=70 labels",
                    "STOPPING=1"]  # fmt: skip


def test_a_run_tells_its_labels(manager: Manager, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(manager.path))
    monkeypatch.setattr("edge_runtime.system.watchdog.STATUS_EVERY_S", 0.0)
    monkeypatch.setenv("EDGE_RUNTIME_STORE", str(tmp_path / "store"))
    assert cli.main(["run", "--camera", "synthetic:192x128@100", "--frames", "3"]) == 0
    told = [manager.next() for _ in range(5)]
    assert told == ["READY=1", "STATUS=0 labels", "STATUS=1 labels", "STATUS=2 labels", "STOPPING=1"]


@pytest.mark.parametrize("extra", [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}])
def test_without_a_watchdog_for_this_process_there_are_no_pings(manager: Manager, extra: dict[str, str]) -> None:
    watchdog = Watchdog({"NOTIFY_SOCKET": str(manager.path), **extra})
    watchdog.alive()
    watchdog.alive()
    assert watchdog.period_s == 0
    assert (manager.next(), manager.next(), manager.next(0.0001)) == ("READY=1", "STATUS=0 labels", None)


HANGING_INFERENCE = """
import json, sys, threading, time
sys.path[:] = json.loads(sys.argv[1])
from edge_runtime.cameras.opening import open_camera
from edge_runtime.inference.classifier import Classifier
from edge_runtime.live.loop import Loop
from edge_runtime.live.loop_config import LoopConfig
from edge_runtime.store.shipped import default_model
from edge_runtime.outputs.formats import open_sink
from edge_runtime.outputs.stdout import Outlet
from edge_runtime.cli.run.service import find_lasting_program
from edge_runtime.system.watchdog import Watchdog

def answer():
    while True:  # a page that goes on answering
        print("page", flush=True)
        time.sleep(0.1)

class Hangs(Classifier):
    num = 0
    def classify(self, frame):
        self.num += 1
        if self.num == 10:
            threading.Event().wait()
        return super().classify(frame)

threading.Thread(target=answer, daemon=True).start()
watchdog = Watchdog()
with open_camera("synthetic:192x128@30") as source:
    loop = Loop(Hangs(default_model()), source, open_sink("jsonl", Outlet(sys.stdout), sys.stderr), LoopConfig(),
                between_frames=lambda labels, late: watchdog.alive())
    loop.run()
"""


@pytest.mark.slow
def test_a_hanging_inference_ends_the_pings_and_then_the_process_although_threads_live(manager: Manager) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGING_INFERENCE, json.dumps(sys.path)],
        capture_output=True, text=True, timeout=HANG_S,
        env={**os.environ, "NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "2000000"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "in classify" in done.stderr  # where it hangs
    page_lines_after_the_last_label = done.stdout.rsplit('"type":"prediction"', 1)[1].count("page")
    assert page_lines_after_the_last_label > 3
    assert manager.next(0.1) == "READY=1"


def test_the_whole_command_pings_a_manager_that_watches_it(manager: Manager) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edge_runtime", "run", "--camera", "synthetic:192x128@30", "--frames", "5"],
        capture_output=True, text=True, timeout=HANG_S, cwd=Path(__file__).parents[3],
        env={**os.environ, "NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "40000000"},
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert [manager.next(0.1) for _ in range(3)] == ["READY=1", "STATUS=0 labels", "WATCHDOG=1"]


def test_flags_that_run_does_not_have_give_no_unit(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["service", "--program", "/opt/e", "--", "--camra", "0"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "nrecognized arguments: --camra" in captured.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--hold", "9/3"), 2, "--hold"),
        (("--threshold", "9"), 2, "--threshold is 9, expected a probability in [0, 1]"),
        (("--region", "2,2,2,2"), 2, "--region"),
        (("--normalize", "5..1"), 2, "--normalize"),
        (("--camera", "nothing-like-that"), 66, "There is no camera, video file or folder"),
        (("--camera", "csi", "--loop"), 78, "--loop is for video files"),
        (("--web", "0.0.0.0:80"), 78, "without a token"),
        (("--web", "x:y"), 2, "--web is 'x:y'"),
        (("--mqtt", "foo"), 2, "--mqtt is 'foo'"),
        (("--mqtt-ca", "/etc/hostname"), 2, "--mqtt-ca needs --mqtt"),
        (("--model", "nano"), 66, "There is no model nano, expected the path of a .tflite file or one of default, re"),
        (("--model", "/nowhere/m.tflite"), 66, "--model names /nowhere/m.tflite, and there is no such file"),
        (("--labels", "none.txt"), 66, "--labels names none.txt, and there is no such file"),
        (
            ("--camera-ca", "none.pem", "--camera", "https://cam/"),
            66,
            "--camera-ca names none.pem, and there is no such",
        ),
        (
            ("--camera", "rtsp://me:hunter2@cam/live"),
            78,
            "--camera has a password in it (rtsp://cam), and every user of the device may read a unit; expected only the",
        ),
        (("--camera-password-file", "none"), 66, "--camera-password-file names none, and there is no such file"),
        (
            ("--log-file", "/var/log/labels"),
            78,
            "--log-file names /var/log/labels, but the service may write below /var/lib/edge",
        ),
        (
            ("--save-changes", "../up"),
            78,
            "the service may write below /var/lib/edge-runtime only; expected a path there",
        ),
    ],
)
def test_flags_and_paths_with_which_the_service_would_end_at_once_give_no_unit(
    arguments: tuple[str, ...], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["service", "--program", "/opt/e", "--", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == "" and words in captured.err and "hunter2" not in captured.err


@pytest.mark.parametrize("rest", ["user=me_password=hunter2", "live?pw=hunter2"])
def test_an_address_that_may_hold_a_password_is_written_with_a_note(
    rest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["service", "--program", "/opt/e", "--", "--camera", f"rtsp://cam/{rest}"]) == 0
    captured = capsys.readouterr()
    assert f"rtsp://cam/{rest}" in captured.out and "hunter2" not in captured.err
    assert "note: every user of the device may read this unit. If there is a password in the camera's" in captured.err
    assert cli.main(["service", "--program", "/opt/e", "--", "--camera", "rtsp://me@cam/live"]) == 0
    assert capsys.readouterr().err == ""


def test_a_file_that_the_service_cannot_see_or_find_is_named_with_a_place_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = tmp_path / "labels.txt"
    labels.touch()
    service = ["service", "--program", "/opt/e", "--"]
    monkeypatch.setattr(unit_checks, "HIDDEN", (str(tmp_path),))
    assert cli.main([*service, "--labels", str(labels)]) == 78
    assert f"which the service cannot see: it has no {tmp_path}. Copy it to /var/lib/edge-runtime or /etc" in (
        capsys.readouterr().err
    )
    monkeypatch.setattr(unit_checks, "HIDDEN", ())
    monkeypatch.chdir(tmp_path)
    assert cli.main([*service, "--labels", "labels.txt"]) == 78
    assert f"the service starts in /var/lib/edge-runtime; expected the whole path, {labels}." in capsys.readouterr().err
    allowed = ["--labels", str(labels), "--model", "micro", "--log-file", "~/labels.jsonl", "--save-changes", "changes"]
    assert cli.main([*service, *allowed, "--web", "0.0.0.0:80", "--web-token-file", str(labels)]) == 0
    assert "--model micro" in capsys.readouterr().out
