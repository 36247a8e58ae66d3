"""The flags of ``run`` for page, broker and files: what they refuse, what they start, and that all of it ends."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import logging
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import cli
from edge_runtime.cameras.address import CameraAddress, parse_camera
from edge_runtime.cameras.frame import FrameSource, SourceCounts
from edge_runtime.cameras.lookout import LookConfig
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.cameras.sources.opening import open_source
from edge_runtime.cli.run.command import run_parser
from edge_runtime.cli.run.outputs import add_output_flags, choose_smallest_input, open_outputs
from edge_runtime.cli.run.settings import choose_playback
from edge_runtime.cli.stderr_log import Lines
from edge_runtime.contract import InputSpec, Region
from edge_runtime.outputs.formats import open_sink
from edge_runtime.outputs.stdout import Outlet
from edge_runtime.pixels.region import cut_input
from tests.patience import HANG_S

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def handlers_return() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def flags(*arguments: str) -> Namespace:
    parser = ArgumentParser()
    add_output_flags(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--web", "0.0.0.0:0"), 78, "without a token"),
        (("--web", "0.0.0.0:0", "--web-token-file", "/nowhere/token"), 66, "There is no token file"),
        (("--web", "a:b"), 2, "expected HOST, PORT or HOST:PORT"),
        (("--web-token-file", "x"), 2, "--web-token-file needs --web, which is missing"),
        (("--allow-host", "x"), 2, "--allow-host needs --web"),
        (("--mqtt-password-file", "x"), 2, "--mqtt-password-file needs --mqtt"),
        (("--mqtt-ca", "x"), 2, "--mqtt-ca needs --mqtt"),
        (("--mqtt", "mqtts://pi:secret@host"), 78, "where every process list shows it"),
        (("--mqtt", "broker"), 2, "--mqtt is 'broker', expected mqtts://"),
        (("--save-changes", "/dev/null/x"), 73, "Images cannot be saved in /dev/null/x"),
        (("--save-changes", "x", "--save-limit-mb", "0"), 2, "--save-limit-mb is 0"),
        (("--save-differences", "x"), 2, "--save-differences needs --shadow, which is missing"),
        (("--shadow", "/nowhere/new.tflite"), 66, "/nowhere/new.tflite"),
        (("--shadow", __file__), 65, "test_run_outputs.py"),
        (("--max-fps", "0"), 2, "--max-fps is 0, expected looks a second above 0, such as 5"),
        (("--on-motion", "--every", "-3"), 2, "--every is -3, expected seconds above 0, such as 60"),
        (
            ("--camera", ".", "--on-motion"),
            78,
            "--max-fps, --every and --on-motion are for live cameras, but every image of . is looked",
        ),
        (("--log-file", "/dev/null/x"), 73, "The log file /dev/null/x cannot be written"),
    ],
)
def test_what_cannot_work_is_refused_before_the_camera_opens(
    arguments: tuple[str, ...], code: int, words: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, toy_path: Path,
) -> None:  # fmt: skip
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", "--model", str(toy_path), "--camera", "synthetic", *arguments]) == code
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "arguments", "words"),
    [
        ("uvicorn", ("--web", "0"), "pip install 'edge-runtime[web]'"),
        ("paho.mqtt.client", ("--mqtt", "mqtt://127.0.0.1:1"), "pip install 'edge-runtime[mqtt]'"),
    ],
)
def test_a_missing_extra_is_named(
    module: str, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, toy_path: Path,
) -> None:  # fmt: skip
    for name in list(sys.modules):
        if name.startswith(("edge_runtime.outputs.web.server", "edge_runtime.outputs.mqtt.client")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    assert cli.main(["run", "--model", str(toy_path), "--camera", "synthetic", *arguments]) == 78
    assert words in capsys.readouterr().err


def test_without_flags_the_loop_has_no_observer_and_the_sink_is_the_printed_one() -> None:
    outlet = Outlet(sys.stdout)
    printed = open_sink("text", outlet, sys.stderr)
    with open_outputs(flags(), printed, outlet) as outputs:
        assert outputs.sink is printed and outputs.observer is None


class Untrusted(FrameSource):
    """A camera whose certificate nobody vouches for, until it ends after a few reads."""

    live, name, trouble = True, "https://camera", "https://camera has a certificate of its own, give it as `camera_ca`."

    def read(self, timeout_s: float = 1.0) -> None:
        self.num_captured -= 1
        self.ended = self.num_captured <= -3


def test_what_a_run_tells_of_a_camera_names_flags_on_stdout_in_the_log_and_to_observers(
    tmp_path: Path, toy_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    camera, seen = Untrusted(), []
    monkeypatch.setattr(Untrusted, "counts", lambda self: SourceCounts())
    monkeypatch.setattr("edge_runtime.cameras.opening.open_camera", lambda *arguments, **more: camera)
    monkeypatch.setattr("edge_runtime.live.live_state.LiveState.pulse", lambda self, pulse: seen.append(pulse.reason))
    log = tmp_path / "run.jsonl"
    arguments = ["--model", str(toy_path), "--camera", "synthetic", "--format", "jsonl", "--log-file", str(log)]
    has_mqtt = importlib.util.find_spec("paho") is not None
    arguments += ["--mqtt", "mqtt://127.0.0.1:9"] if has_mqtt else []
    assert cli.main(["run", *arguments]) == 0
    for told in (capsys.readouterr().out, log.read_text()):
        (reason,) = [json.loads(line)["reason"] for line in told.splitlines() if '"no_camera"' in line]
        assert reason == "https://camera has a certificate of its own, give it as --camera-ca."
    assert any("--camera-ca" in each for each in seen) == has_mqtt and "`" not in "".join(seen)


def test_what_is_logged_names_flags() -> None:
    record = logging.LogRecord("edge_runtime.x", logging.WARNING, "", 0, "`mqtt_ca` is not read", (), None)
    assert Lines().format(record) == "edge-runtime: --mqtt-ca is not read"


@pytest.mark.parametrize(
    ("arguments", "realtime", "loop"),
    [
        ((), False, False),
        (("--web",), True, True),
        (("--web", "--no-loop"), True, False),
        (("--web", "--no-realtime"), False, True),
        (("--realtime",), True, False),
        (("--loop",), False, True),
        (("--mqtt", "mqtt://127.0.0.1"), False, False),
    ],
)
def test_with_the_live_page_a_file_is_shown_as_a_camera_would_be(
    arguments: tuple[str, ...], realtime: bool, loop: bool
) -> None:
    film, live = CameraAddress("video", "clip.mp4"), CameraAddress("http", "http://127.0.0.1/")
    chosen = choose_playback(CameraOptions(expect_fps=2), run_parser().parse_args(arguments), film)
    assert chosen == CameraOptions(expect_fps=2, realtime=realtime, loop=loop)
    if not {"--loop", "--realtime"} & set(arguments):
        assert choose_playback(CameraOptions(), run_parser().parse_args(arguments), live) == CameraOptions()


def test_a_looping_folder_is_labelled_until_it_is_enough(
    tmp_path: Path, toy_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, colour in (("a.png", (0, 0, 255)), ("b.png", (0, 255, 0))):
        cv2.imwrite(str(tmp_path / name), np.full((32, 32, 3), colour, np.uint8))
    run = ["run", "--model", str(toy_path), "--camera", str(tmp_path), "--format", "jsonl"]
    assert cli.main([*run, "--loop", "--frames", "5"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["name"] for line in lines[:-1]] == ["a.png", "b.png", "a.png", "b.png", "a.png"]
    assert (lines[-1]["captured"], lines[-1]["processed"], lines[-1]["dropped"]) == (5, 5, 0)
    assert cli.main([*run[:4], "synthetic", "--loop"]) == 78
    assert "--loop is for video files and folders of images, but the camera is synthetic" in capsys.readouterr().err


def test_cameras_decode_no_larger_than_somebody_wants() -> None:
    spec = InputSpec(32, 48, "crop")
    assert choose_smallest_input(flags(), spec) == spec
    assert choose_smallest_input(flags("--web"), spec) == InputSpec(360, 480, "crop")
    assert choose_smallest_input(flags("--web"), InputSpec(512, 512)) == InputSpec(512, 512)
    for arguments in (("--save-changes", "x"), ("--save-uncertain", "x")):
        assert choose_smallest_input(flags(*arguments), spec) is None


def test_files_get_what_was_asked_for(tmp_path: Path, toy_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved, log = tmp_path / "saved", tmp_path / "log.jsonl"
    arguments = ["--save-changes", str(saved), "--save-uncertain", str(saved), "--log-file", str(log)]
    code = cli.main(
        ["run", "--model", str(toy_path), "--camera", "synthetic:320x240@100", "--frames", "30", *arguments]
    )
    assert code == 0, capsys.readouterr().err
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert sum(line["type"] == "prediction" for line in lines) == 30
    assert lines[-1]["type"] == "status"
    records = [json.loads(path.read_text()) for path in saved.glob("*.json")]
    assert records and all((saved / record["file"]).stat().st_size > 1000 for record in records)


def test_the_demo_camera_moves_and_shows_what_the_default_model_knows() -> None:
    from edge_runtime.inference.classifier import Classifier
    from edge_runtime.store.shipped import default_model

    address = parse_camera("demo")
    assert (address.kind, address.live, address.shown) == ("demo", True, "demo")
    with open_source(address) as camera, Classifier(default_model()) as classifier:
        frames = [read_one(camera) for _ in range(6)]
        assert frames[0].pixels.shape == (480, 640, 3)
        assert len({frame.pixels.tobytes() for frame in frames}) >= 5
        assert [frame.seq for frame in frames] == list(range(6))
        goldens = classifier.model.goldens
        assert goldens is not None
        assert classifier.classify(frames[0]).index == goldens.outputs[0].argmax()
        assert camera.read(0.0) is None or camera.num_captured == 7


def read_one(camera: FrameSource) -> object:
    frame = camera.read(1.0)
    assert frame is not None
    return frame


@pytest.mark.slow
def test_the_page_stays_up_while_the_camera_is_missing_and_sigterm_ends_all_in_three_seconds(toy_path: Path) -> None:
    pytest.importorskip("uvicorn")
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_runtime", "run", "--model", str(toy_path), "--camera", "http://127.0.0.1:9/none", "--web", "0"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    with process.stderr:
        line = process.stderr.readline()
        while not line.startswith("live page: "):
            line = process.stderr.readline()
        port = int(line.strip().rstrip("/").rpartition(":")[2])
        end_s = time.monotonic() + HANG_S
        answer: dict[str, object] = {}
        while answer.get("state") != "no_camera" and time.monotonic() < end_s:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
            with contextlib.closing(connection):
                connection.request("GET", "/healthz")
                response = connection.getresponse()
                assert response.status == 503
                answer = json.loads(response.read())
            time.sleep(0.1)
        assert answer["state"] == "no_camera"
        assert "cannot be reached: Connection refused" in str(answer["reasons"])
        viewer = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
        viewer.request("GET", "/api/events")
        assert viewer.getresponse().status == 200
        asked_s = time.monotonic()
        process.terminate()
        assert process.wait(HANG_S) == 0
        assert time.monotonic() - asked_s < 3
        viewer.close()


def test_the_state_of_the_signature_is_put_into_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography")
    from edge_runtime.cli.run.outputs import describe_signature
    from edge_runtime.model.model_file import open_model
    from edge_runtime.model.signatures import make_keys, sign
    from edge_runtime.store.shipped import default_model

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "keys").mkdir()
    monkeypatch.setenv("EDGE_RUNTIME_KEYS", str(tmp_path / "keys"))
    assert describe_signature(open_model(default_model())) == "not signed"
    private, public = make_keys()
    path = tmp_path / "signed.tflite"
    path.write_bytes(sign(default_model().read_bytes(), private, 7))
    assert describe_signature(open_model(path)).endswith("which is not trusted here")
    (tmp_path / "keys" / "maker.pub").write_bytes(public)
    assert describe_signature(open_model(path)).startswith("valid, key ")
    assert describe_signature(open_model(path)).endswith(", version 7")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(("--save-changes", "saved"), []), (("--web", "0"), [InputSpec(360, 480)]), ((), [InputSpec(8, 8)])],
)
def test_a_new_model_keeps_the_size_that_the_outputs_want(
    tmp_path: Path,
    toy_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    expected: list[InputSpec],
) -> None:
    if "--web" in arguments:
        pytest.importorskip("uvicorn")
    from edge_runtime.cameras.sources.synthetic import SyntheticCamera
    from edge_runtime.cli.run import model as run_model
    from edge_runtime.inference.classifier import Classifier

    wanted: list[InputSpec | None] = []
    monkeypatch.setattr(SyntheticCamera, "shrink_for", lambda self, spec: wanted.append(spec))
    monkeypatch.setattr(
        "edge_runtime.cameras.opening.open_camera", lambda *arguments, **more: SyntheticCamera("320x240@200")
    )
    other = [Classifier(toy_path)]
    monkeypatch.setattr(
        run_model.RunModel,
        "between_frames",
        lambda self, num_labels, num_late: other.pop() if num_labels == 3 and other else None,
    )
    monkeypatch.chdir(tmp_path)
    arguments = ("--model", str(toy_path), "--camera", "synthetic", "--frames", "6", *arguments)
    assert cli.main(["run", *arguments]) == 0
    assert wanted == expected and other == []


def test_the_flags_that_say_when_to_look_reach_the_camera_with_the_votes_of_hold() -> None:
    from edge_runtime.cli.run.command import run_parser
    from edge_runtime.cli.run.settings import read_look_flags
    from edge_runtime.live.smoothing import Hold

    def read(*arguments: str, hold: Hold | None = None) -> object:
        return read_look_flags(run_parser().parse_args(arguments), hold)

    assert read() is None
    assert read("--max-fps", "5") == LookConfig(max_fps=5.0)
    assert read("--every", "60") == LookConfig(every_s=60.0)
    assert read("--on-motion", "--every", "60", hold=Hold(3, 5)) == LookConfig(None, 60.0, True, 5)


def test_a_run_that_looks_now_and_then_accounts_for_what_it_skipped(
    capsys: pytest.CaptureFixture[str], toy_path: Path
) -> None:
    arguments = ["--camera", "synthetic:320x240@60", "--max-fps", "6", "--frames", "8", "--format", "jsonl"]
    assert cli.main(["run", "--model", str(toy_path), *arguments]) == 0
    *lines, status = map(json.loads, capsys.readouterr().out.splitlines())
    labels = [line for line in lines if line["type"] == "prediction"]
    assert len(labels) == 8 and labels[-1]["ts"] - labels[0]["ts"] > 0.9
    assert status["skipped"] >= 40 and status["still_since"] is None
    assert status["last_known"]["label"] == labels[-1]["label"]
    assert status["captured"] == status["processed"] + status["dropped"] + status["skipped"] + status["in_flight"]


def test_a_camera_shrinks_its_images_no_further_than_model_and_candidate_need() -> None:
    small, large = InputSpec(32, 48), InputSpec(96, 64, "crop")
    assert choose_smallest_input(flags(), small, small) == small
    assert choose_smallest_input(flags(), small, large) == InputSpec(96, 64)
    right = cut_input(large, Region(0.5, 0.0, 0.5, 0.5))
    assert choose_smallest_input(flags(), small, right) == InputSpec(192, 128)
    assert choose_smallest_input(flags("--web"), small, large) == InputSpec(360, 480)
    assert choose_smallest_input(flags("--save-changes", "x"), small, large) is None


@pytest.mark.usefixtures("lonely")
def test_a_candidate_is_scored_beside_and_the_frames_that_differ_are_kept_with_both_answers(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, make_model: Callable[..., bytes], save: Callable[..., str]
) -> None:
    (tmp_path / "frames").mkdir()
    for number in range(6):
        frame = np.random.default_rng(number).integers(0, 60, (48, 64, 3), dtype=np.uint8)
        frame[..., 2 if number < 4 else 0] += 180
        cv2.imwrite(str(tmp_path / "frames" / f"{number}.png"), frame)
    used = save(make_model(1), "used.tflite")
    # It gives blue another name.
    candidate = save(make_model(2, labels=("red", "green", "sky")), "candidate.tflite")
    arguments = ["run", "--model", used, "--camera", str(tmp_path / "frames"), "--format", "jsonl"]
    assert cli.main([*arguments, "--shadow", candidate, "--save-differences", str(tmp_path / "differ")]) == 0
    *lines, status = map(json.loads, capsys.readouterr().out.splitlines())
    assert {line["label"] for line in lines if line["type"] == "prediction"} == {"red", "blue"}
    shadow = status["shadow"]
    assert (shadow["num_labels"], shadow["num_seen"], shadow["num_agreed"], shadow["num_differing"]) == (6, 6, 4, 2)
    assert shadow["share"] == pytest.approx(4 / 6, abs=1e-4) and shadow["failure"] == ""
    assert shadow["p50_ms"] > 0 and shadow["used_p50_ms"] > 0
    (kept,) = (tmp_path / "differ").glob("*.json")  # at most one a second
    record = json.loads(kept.read_text())
    assert (record["reason"], record["label"], record["candidate"]["label"]) == ("difference", "blue", "sky")
    assert record["candidate"]["top"][0]["label"] == "sky" and kept.with_suffix(".jpg").exists()
    assert cli.main([*arguments[:-2], "--shadow", candidate]) == 0
    assert "gives the same label in 4 of 6 frames (66.7 %), 2 differ; it was shown 6 of 6" in capsys.readouterr().err


@pytest.mark.usefixtures("lonely")
def test_a_candidate_from_outside_is_tried_in_a_process_of_its_own_first(
    monkeypatch: pytest.MonkeyPatch, make_model: Callable[..., bytes], save: Callable[..., str], tmp_path: Path
) -> None:
    tried = []
    monkeypatch.setattr("edge_runtime.installed.first_run.first_run", lambda content, name, *rest: tried.append(name))
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((9, 9, 3), np.uint8))
    candidate = save(make_model(2), "candidate.tflite")
    assert cli.main(["run", "--model", "micro", "--camera", str(tmp_path), "--shadow", candidate]) == 0
    assert [Path(name).name for name in tried] == ["candidate.tflite"]
