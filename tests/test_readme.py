"""The README says only what works: its device commands are run, its program too, and its make targets exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
COMMANDS = [line[2:] for block in CONSOLE for line in block.splitlines() if line.startswith("$ ")]
DEVICE_COMMANDS = [command for command in COMMANDS if command.startswith("edge-runtime ")]


@pytest.fixture
def newcomer(tmp_path: Path) -> Path:
    """A folder with what the README's commands name."""
    model = ROOT / "edge_runtime" / "models" / "default.tflite"
    (tmp_path / "build").mkdir()
    shutil.copy(model, tmp_path / "build" / "cifar10-mini-resnet8.tflite")
    shutil.copy(model, tmp_path / "model.tflite")
    frame = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "photo.jpg"), frame)
    video = cv2.VideoWriter(str(tmp_path / "clip.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 30, (160, 120))
    for shift in range(20):
        video.write(np.roll(frame, 4 * shift, axis=1))
    video.release()
    return tmp_path


def test_the_readme_has_commands_for_every_verb_that_needs_no_hardware() -> None:
    verbs = {shlex.split(command)[1] for command in DEVICE_COMMANDS}
    assert verbs == {"run", "classify", "info", "selftest", "bench", "doctor"}


@pytest.mark.slow
@pytest.mark.parametrize("command", DEVICE_COMMANDS)
def test_a_device_command_of_the_readme_works(command: str, newcomer: Path) -> None:
    words = [sys.executable, "-m", "edge_runtime", *shlex.split(command)[1:]]
    done = subprocess.run(
        words, cwd=newcomer, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.slow
def test_the_program_of_the_readme_works(newcomer: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert "open_camera(0)" in program
    program = program.replace("open_camera(0)", 'open_camera("clip.mp4")')
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=newcomer, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Prediction(") == 20


def test_the_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert {"convert", "test", "wheel"} <= named
    assert named <= targets


def test_the_files_that_the_readme_links_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
