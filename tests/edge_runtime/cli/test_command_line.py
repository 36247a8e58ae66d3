"""The edge-runtime command as a user meets it: exit codes, stdout for results only, help with examples, clean ends."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime import cli
from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.lock import lock_camera
from edge_runtime.errors import AlreadyRunningError
from tests.patience import HANG_S

ROOT = Path(__file__).parents[3]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs the command in this process: (exit code, stdout, stderr)."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name, colour in {"red.jpg": (0, 0, 255), "green.png": (0, 255, 0), "blue.png": (255, 0, 0)}.items():
        cv2.imwrite(str(tmp_path / name), np.full((40, 60, 3), colour, np.uint8))
    return tmp_path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "edge_runtime", *(str(argument) for argument in arguments)]


def test_without_a_verb_the_usage_goes_to_stderr_and_the_code_is_2(run: Run) -> None:
    code, out, err = run()
    assert (code, out) == (2, "")
    assert "usage: edge-runtime VERB" in err


@pytest.mark.parametrize("flag", ["--help", "-h", "help"])
def test_help_goes_to_stdout_and_names_every_verb(run: Run, flag: str) -> None:
    code, out, err = run(flag)
    assert (code, err) == (0, "")
    assert all(f"\n  {verb} " in out for verb in cli.VERBS)
    assert "examples:" in out


@pytest.mark.parametrize("verb", sorted(cli.VERBS))
def test_every_verb_has_help_with_examples_of_itself(run: Run, verb: str) -> None:
    code, out, _ = run(verb, "--help")
    assert code == 0
    assert f"\nexamples:\n  edge-runtime {verb}" in out


def test_the_version_is_printed(run: Run) -> None:
    from edge_runtime.version import __version__

    assert run("--version") == (0, __version__ + "\n", "")


def test_an_unknown_verb_and_an_unknown_flag_are_usage_errors(run: Run) -> None:
    code, out, err = run("zzz")
    assert (code, out) == (2, "")
    assert f"There is no verb 'zzz', expected one of {', '.join(cli.VERBS)}; see" in err
    assert run("info", "--modle", "x")[0] == 2


def test_images_are_labelled_one_line_each(run: Run, toy_path: Path, images: Path) -> None:
    code, out, _ = run("classify", "--model", toy_path, images / "red.jpg", images / "green.png", "--top-k", 1)
    assert code == 0
    assert [line.split(": ")[1].split()[0] for line in out.splitlines()] == ["red", "green"]


def test_json_lines_carry_label_score_and_name(run: Run, toy_path: Path, images: Path) -> None:
    code, out, _ = run("classify", "--model", toy_path, "--format", "jsonl", images / "blue.png")
    line = json.loads(out)
    assert code == 0
    assert (line["v"], line["type"], line["label"], line["name"]) == (
        1,
        "prediction",
        "blue",
        str(images / "blue.png"),
    )
    assert line["score"] == line["top"][0]["score"] > line["top"][1]["score"]


def test_a_threshold_makes_unsure_answers_unknown(run: Run, toy_path: Path, images: Path) -> None:
    cv2.imwrite(str(images / "grey.png"), np.full((8, 8, 3), 128, np.uint8))
    _, out, _ = run("classify", "--model", toy_path, "--threshold", 0.9, "--format", "jsonl", images / "grey.png")
    assert json.loads(out)["label"] == "unknown"


def test_one_class_may_have_a_threshold_of_its_own(run: Run, toy_path: Path, images: Path) -> None:
    flags = ["classify", "--model", toy_path, "--format", "jsonl", images / "red.jpg"]
    _, out, _ = run(*flags, "--threshold", "0.1", "--threshold", "red=1")
    assert json.loads(out)["label"] == "unknown"
    _, out, _ = run(*flags, "--threshold", "blue=1")
    assert json.loads(out)["label"] == "red"
    code, _, err = run(*flags, "--threshold", "mug=0.5")
    assert code == 2 and "--threshold names 'mug', expected a label of the model: " in err
    code, _, err = run(*flags, "--threshold", "red=high")
    assert code == 2 and "--threshold is 'red=high', expected a probability in [0, 1], or one for a label" in err


def test_a_bad_image_is_reported_and_the_others_are_still_labelled(run: Run, toy_path: Path, images: Path) -> None:
    (images / "bad.jpg").write_bytes(b"no")
    code, out, err = run("classify", "--model", toy_path, images / "bad.jpg", images / "none.jpg", images / "red.jpg")
    assert code == 65
    assert out.count("\n") == 1 and "red" in out
    assert "bad.jpg (2 bytes) is not an image" in err and "There is no image" in err


@pytest.mark.parametrize("verb", ["info", "selftest", "bench"])
def test_a_missing_model_is_66_and_a_damaged_one_65(run: Run, tmp_path: Path, verb: str) -> None:
    assert run(verb, "--model", tmp_path / "none.tflite")[0] == 66
    (tmp_path / "bad.tflite").write_bytes(b"\x20\0\0\0TFL3" + bytes(50))
    code, out, err = run(verb, "--model", tmp_path / "bad.tflite")
    assert (code, out) == (65, "")
    assert err.startswith("edge-runtime: ")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--camera", "/dev/video98"], 69, "There is no camera /dev/video98"),
        (["--camera", "none.mp4"], 66, "There is no camera, video file or folder 'none.mp4'"),
        (["--camera", "ftp://x/"], 2, "is not usable, expected http, https, rtsp or rtsps"),
        (["--camera", "synthetic", "--hold", "x"], 2, "--hold is 'x', expected K/N"),
        (["--camera", "synthetic", "--max-age-ms", "0"], 2, "--max-age-ms is 0"),
        (["--camera", "synthetic", "--frames", "0"], 2, "--frames is 0"),
        (["--camera", "synthetic", "--threads", "0"], 2, "--threads is 0, expected 1 to 64"),
        (["--camera", "synthetic", "--threshold", "7"], 2, "--threshold is 7.0"),
        (["--camera", "http://127.0.0.1:9/", "--give-up-s", "0.3"], 69, "No frame within 0.3 s: http://127.0.0.1:9 "),
    ],
)
def test_a_run_that_cannot_start_ends_with_its_code_and_one_line(
    run: Run, toy_path: Path, arguments: list[str], code: int, message: str
) -> None:
    got, out, err = run("run", "--model", toy_path, *arguments)
    assert (got, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_a_folder_is_run_through_in_order(run: Run, toy_path: Path, images: Path) -> None:
    code, out, err = run("run", "--model", toy_path, "--camera", images, "--format", "jsonl")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [(line["name"], line["label"]) for line in lines[:-1]] == [
        ("blue.png", "blue"),
        ("green.png", "green"),
        ("red.jpg", "red"),
    ]
    assert lines[-1]["type"] == "status"
    assert (lines[-1]["captured"], lines[-1]["processed"], lines[-1]["dropped"]) == (3, 3, 0)
    assert "3 images in" in err


def test_the_synthetic_camera_runs_live(run: Run, toy_path: Path) -> None:
    code, out, err = run("run", "--model", toy_path, "--camera", "synthetic:256x96@100", "--frames", 5)
    assert code == 0
    assert out.count("\n") == 5 and "ms old" in out
    assert "frame age" in err and "camera: ok: fresh frames arrive" in err


def test_info_tells_labels_and_input(run: Run, toy_path: Path) -> None:
    code, out, _ = run("info", "--model", toy_path)
    assert code == 0
    assert "red, green, blue" in out and "8x8 RGB, resize: stretch, uint8" in out
    code, out, _ = run("info", "--model", toy_path, "--format", "jsonl")
    assert json.loads(out)["spec"]["labels"] == ["red", "green", "blue"]


def test_info_lists_the_shipped_models_with_their_measured_accuracy(run: Run) -> None:
    code, out, _ = run("info", "--models")
    assert code == 0
    assert out.startswith("default ") and "32x32" in out and " % with litert" in out
    code, out, _ = run("info", "--models", "--format", "jsonl")
    found = json.loads(out)
    assert (found["v"], found["type"], found["models"][0]["name"]) == (1, "models", "default")
    assert {score["num_images"] for model in found["models"] for score in model["scores"]} == {10_000}


def test_a_shipped_model_goes_by_its_name_unless_a_file_has_it(
    run: Run, toy_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "model  micro" in run("info", "--model", "default")[1]
    (tmp_path / "default").write_bytes(Path(toy_path).read_bytes())
    assert "red, green, blue" in run("info", "--model", "default")[1]
    code, _, err = run("info", "--model", "nothing")
    assert code == 66 and "There is no model nothing" in err


def test_selftest_needs_goldens(run: Run, toy_path: Path) -> None:
    code, _, err = run("selftest", "--model", toy_path)
    assert code == 65
    assert "The model has no golden frames" in err


def test_bench_times_every_stage_of_every_combination(run: Run, toy_path: Path, images: Path) -> None:
    from edge_runtime.inference.interpreter import list_available_backends

    code, out, _ = run(
        "bench", "--model", toy_path, "--runs", 3, "--threads", "1,2", "--image", images / "red.jpg", "--json"
    )
    report = json.loads(out)
    assert code == 0
    assert [row["threads"] for row in report["rows"]] == [1, 2] * len(list_available_backends())
    for row in report["rows"]:
        assert list(row["stages"]) == ["decode", "preprocess", "invoke", "postprocess", "total"]
        assert all(0 < stage["p50"] <= stage["p95"] <= stage["p99"] for stage in row["stages"].values())
    code, out, _ = run("bench", "--model", toy_path, "--runs", 2, "--threads", 1)
    assert code == 0 and "preprocess" in out and "decode" not in out


def test_bench_gives_opencv_as_many_threads_as_the_row_says_and_puts_them_back(
    run: Run, toy_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_runtime.inference.classifier import Classifier

    seen: list[int] = []
    classify = Classifier.classify

    def spy(self: Classifier, frame: Any) -> Any:
        seen.append(cv2.getNumThreads())
        return classify(self, frame)

    monkeypatch.setattr(Classifier, "classify", spy)
    before = cv2.getNumThreads()
    code, out, _ = run("bench", "--model", toy_path, "--runs", 1, "--threads", "1,3", "--json")
    per_row = len(seen) // len(json.loads(out)["rows"])
    assert code == 0 and per_row > 1
    assert seen == [row["threads"] for row in json.loads(out)["rows"] for _ in range(per_row)]
    assert cv2.getNumThreads() == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--threads", "a"], 2, "--threads is 'a', expected numbers with commas such as 1,2,4"),
        (["--threads", "0"], 2, r"--threads is (0,), expected numbers from 1 to 64"),
        (["--runs", "0"], 2, "--runs is 0, expected at least 1"),
        (["--image", "none.jpg"], 66, "There is no image none.jpg"),
        (["--image", "."], 65, ". cannot be read (Is a directory)"),
    ],
)
def test_bench_settings_that_cannot_work_are_refused(
    run: Run, toy_path: Path, arguments: list[str], code: int, message: str
) -> None:
    got, _, err = run("bench", "--model", toy_path, *arguments)
    assert got == code
    assert message in err


def test_doctor_ends_with_1_only_for_problems(run: Run, toy_path: Path, tmp_path: Path) -> None:
    code, out, _ = run("doctor", "--model", toy_path)
    assert code == 0
    assert "interpreter" in out and "memory" in out
    code, out, _ = run("doctor", "--model", tmp_path / "none.tflite", "--format", "jsonl")
    findings = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [finding["what"] for finding in findings if finding["level"] == "problem"] == ["model"]


def test_a_bug_of_ours_is_70_with_its_traceback(run: Run, toy_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.reports.info.format_info", lambda model: 1 / 0)
    code, out, err = run("info", "--model", toy_path)
    assert (code, out) == (70, "")
    assert "ZeroDivisionError" in err and "this is a bug in edge-runtime" in err


def test_a_reader_that_leaves_ends_the_run_quietly(toy_path: Path) -> None:
    with subprocess.Popen(
        command("run", "--model", toy_path, "--camera", "synthetic:256x96@200"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(HANG_S) == 0
        assert "Traceback" not in process.stderr.read()


def test_results_that_cannot_be_written_end_with_1(toy_path: Path, images: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command("classify", "--model", toy_path, images / "red.jpg"),
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=HANG_S,
        )
    assert done.returncode == 73
    assert "No space left on device; check the disk and who may write there." in done.stderr


@contextlib.contextmanager
def running(toy_path: Path, camera: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command("run", "--model", toy_path, "--camera", camera, "--format", "jsonl"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def descendants(pid: int) -> set[int]:
    with contextlib.suppress(OSError):
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_0_and_a_status_and_releases_the_camera(
    toy_path: Path, network_camera: Any, number: signal.Signals
) -> None:
    with running(toy_path, network_camera.address) as process:
        assert process.stdout is not None
        while '"prediction"' not in process.stdout.readline():
            pass
        (child,) = descendants(process.pid)
        sent_s = time.monotonic()
        process.send_signal(number)
        out, _ = process.communicate(timeout=3)
        assert time.monotonic() - sent_s < 3
        assert process.returncode == 0
        status = json.loads(out.splitlines()[-1])
        assert status["type"] == "status"
        assert status["captured"] == status["processed"] + status["dropped"] + status["in_flight"]
        assert not Path(f"/proc/{child}").exists()


@pytest.mark.slow
def test_sigterm_at_fifteen_moments_of_the_first_second_ends_a_run_with_0_within_three_seconds(toy_path: Path) -> None:
    chance = random.Random(26)
    for number in range(15):
        with running(toy_path, "synthetic:256x96@100") as process:
            # Python itself needs some 50 ms before any code of ours can ask for the signal.
            _wait_for_handler(process.pid)
            time.sleep((number + chance.random()) / 15)
            process.terminate()
            process.communicate(timeout=3)
            assert process.returncode == 0


def _wait_for_handler(pid: int) -> None:
    """Returns once process ``pid`` catches SIGTERM."""
    while True:
        text = Path(f"/proc/{pid}/status").read_text()
        caught = int(text.partition("SigCgt:")[2].split()[0], 16)
        if caught >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.001)


def test_a_second_signal_ends_the_process_at_once_unless_it_is_the_first_delivered_twice(
    toy_path: Path, network_camera: Any
) -> None:
    from edge_runtime.system.signals import StopRequest

    script = (
        "import os, signal\nfrom edge_runtime.system.signals import StopRequest\nstop = StopRequest(); stop.install()\n"
        "os.kill(os.getpid(), signal.SIGTERM); assert stop()\n"
        "os.kill(os.getpid(), signal.SIGTERM); print('one request so far', flush=True)\n"
        "import time; time.sleep(0.6); os.kill(os.getpid(), signal.SIGTERM); print('alive')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=HANG_S)
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "one request so far\n")
    assert not StopRequest()()


@pytest.mark.usefixtures("machine_cameras")
def test_a_second_instance_on_the_same_camera_is_refused_with_75() -> None:
    address = CameraAddress("csi", "")
    with (
        lock_camera(address),
        pytest.raises(
            AlreadyRunningError, match=r"Another edge-runtime holds the camera csi; stop that one first"
        ) as caught,
        lock_camera(address),
    ):
        pytest.fail("two held the camera")
    assert caught.value.exit_code == 75
    with lock_camera(address):
        pass


def test_cameras_that_many_can_read_are_not_locked() -> None:
    address = CameraAddress("http", "http://cam/")
    with lock_camera(address), lock_camera(address):
        both = True
    assert both


def test_classifying_does_not_import_what_only_a_live_camera_needs(toy_path: Path, images: Path) -> None:
    script = (
        "import sys\nfrom edge_runtime.cli import main\n"
        f"assert main(['classify', '--model', {str(toy_path)!r}, {str(images / 'red.jpg')!r}]) == 0\n"
        "print(sorted(set(sys.modules) & {'edge_runtime.cameras.capture.parent', 'edge_runtime.live.loop', 'edge_runtime.cameras.sources.opencv.capture', "
        "'subprocess', 'socket', 'edge_runtime.reports.doctor', 'tensorflow', 'train', 'convert'}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=HANG_S, env={**os.environ}
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
