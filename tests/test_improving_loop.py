"""The whole loop by the commands of docs/improving.md: frames that a device saved are sorted, trained on, compared with
the old model and installed, and nobody moves a file by hand.

The device is this machine, so what `make fetch` would bring is saved where it would put it, and `make deploy` is
`edge-runtime install`. The lamp has changed since the old model learnt: the device sees other colours.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]
PAGE = (ROOT / "docs" / "improving.md").read_text("utf-8")
# What makes a training small enough for a test; the commands are the page's.
QUICK = ["MODEL=seed_cnn", "SIZE=32", "TRAIN_FLAGS=--epochs 5", "CONVERT_FLAGS=--field-test off"]
COLOURS = {"blue": (200, 60, 60), "green": (60, 200, 60), "red": (60, 60, 200)}
# In the new light each looks most like the next one did, yet not the same.
IN_NEW_LIGHT = {"blue": (150, 200, 60), "green": (60, 150, 200), "red": (200, 60, 150)}
NUM_FRAMES = 201
# The recorder takes one frame a second and lets others go; here a second is over at once, and none is in a hurry.
DEVICE = (
    "import sys; from edge_runtime.outputs import recorder; from edge_runtime.cli import main; "
    "recorder.UNCERTAIN_EVERY_S, recorder.QUEUE_LENGTH = 0.0, 1000; sys.exit(main(sys.argv[1:]))"
)


def draw(colour: tuple[int, int, int], random: np.random.Generator) -> np.ndarray:
    """(40, 52, 3) uint8 BGR of a noisy colour."""
    noise = random.integers(-40, 40, (40, 52, 3))
    return np.asarray((np.array(colour) + noise).clip(0, 255), np.uint8)


def name_in_new_light(image: np.ndarray) -> str:
    """What a person would call it."""
    seen = image.mean(axis=(0, 1))
    return min(IN_NEW_LIGHT, key=lambda label: float(np.abs(seen - IN_NEW_LIGHT[label]).sum()))


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A checkout as make sees it, with photos in good light and what the camera will see; nothing is installed."""
    for name in ("Makefile", "requirements", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    venv = tmp_path / ".venv"
    venv.mkdir()
    for entry in Path(sys.prefix).iterdir():
        if entry.name != ".ready":
            (venv / entry.name).symlink_to(entry)
    (venv / ".ready").touch()
    random = np.random.default_rng(5)
    for label, colour in COLOURS.items():
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(100):
            cv2.imwrite(str(tmp_path / "photos" / label / f"{number:03d}.png"), draw(colour, random))
    (tmp_path / "camera").mkdir()
    for number in range(NUM_FRAMES):
        frame = draw(list(IN_NEW_LIGHT.values())[number % 3], random)
        cv2.imwrite(str(tmp_path / "camera" / f"{number:05d}.png"), frame)
    return tmp_path


def environment(desk: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(desk / "cache"),
        "XDG_CONFIG_HOME": str(desk / "config"),
        "EDGE_RUNTIME_STORE": str(desk / "store"),
    }


def command_of_the_page(start: str) -> list[str]:
    """The one command of the page that starts so."""
    found = [line for line in re.findall(r"^(?:\$ )?(make .*)$", PAGE, re.MULTILINE) if line.startswith(start)]
    assert len(found) == 1, found
    return shlex.split(found[0])


def run(desk: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=desk, env=environment(desk), capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def on_device(desk: Path, *arguments: str) -> str:
    return run(desk, sys.executable, "-c", DEVICE, *arguments)


def ask(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Origin": re.sub(r"(//[^/]+)/.*", r"\1", address)}
    with urllib.request.urlopen(urllib.request.Request(address, data, headers)) as answer:
        return json.load(answer)


def sort_all(desk: Path) -> int:
    """Starts the page's command, gives each group of frames its class as a person would, ends it; how many frames."""
    command = command_of_the_page("make sort FROM=")
    process = subprocess.Popen(
        command, cwd=desk, env=environment(desk), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stderr is not None
        heard = []
        for line in process.stderr:
            heard.append(line)
            if found := re.search(r"sort here: (\S+/)", line):
                break
        assert found, heard
        page = ask(found[1] + "api/page")
        steps = []
        for tile in page["tiles"]:
            for number, *_ in tile["frames"]:
                with urllib.request.urlopen(f"{found[1]}frame/{number}") as answer:
                    image = cv2.imdecode(np.frombuffer(answer.read(), np.uint8), cv2.IMREAD_COLOR)
                steps.append({"frames": [number], "label": name_in_new_light(np.asarray(image))})
        ask(found[1] + "api/label", steps)
        return len(steps)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
        if process.stderr is not None:
            process.stderr.close()


def test_two_hundred_saved_frames_become_a_better_installed_model(desk: Path) -> None:
    run(desk, "make", "convert", "DATA=photos", "RUN=runs/old", "OUT=build/old.tflite", *QUICK)
    on_device(desk, "install", "build/old.tflite")
    on_device(
        desk, "run", "--camera", "camera", "--save-uncertain", "frames/door", "--threshold", "1", "--format", "jsonl"
    )
    assert len(list((desk / "frames" / "door").glob("*.jpg"))) >= 200
    assert sort_all(desk) >= 200
    run(desk, *command_of_the_page("make convert"), *QUICK)
    told = run(desk, *command_of_the_page("make improve"))
    assert "\nThe new model is better" in f"\n{told}", told
    on_device(desk, "install", "build/new.tflite", "--max-latency-ms", "1000")
    status = json.loads(on_device(desk, "status", "--format", "jsonl"))
    assert status["name"] == "photos-seed_cnn"
    lines = on_device(desk, "run", "--camera", "camera", "--format", "jsonl").splitlines()
    answers = [line for line in map(json.loads, lines) if line["type"] == "prediction"]
    right = [answer["top"][0]["label"] == list(COLOURS)[n % 3] for n, answer in enumerate(answers)]
    assert sum(right) > 0.9 * len(right)


def test_no_step_of_the_page_moves_a_file_by_hand() -> None:
    commands = [
        line for block in re.findall(r"```(?:console)?\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
    ]
    assert commands
    assert {line.removeprefix("$ ").split()[0] for line in commands if line} <= {"make", "edge-runtime"}
    order = [
        "make fetch",
        "make sort FROM=frames INTO=photos",
        "make convert DATA=photos",
        "make improve",
        "make deploy",
    ]
    places = [PAGE.index(f"\n{step}") if f"\n{step}" in PAGE else PAGE.index(f"$ {step}") for step in order]
    assert places == sorted(places)
