"""README and docs say only what works: the README's device commands are run, its program too; verbs, flags, make targets and
links of every page exist."""

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

from edge_runtime import cli

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
    shutil.copytree(ROOT / "docs" / "samples", tmp_path / "docs" / "samples")
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


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_make_targets_of_a_page_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"convert", "test", "wheel"} <= targets
    found = re.findall(r"(?:^\$ |`)make ([a-z][a-z-]*)", page.read_text("utf-8"), re.MULTILINE)
    assert set(found) - targets == set()


def test_make_help_names_every_target() -> None:
    done = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    named_targets = re.findall(r"^  make ([a-z-]+) ", done.stdout, re.MULTILINE)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert targets - set(named_targets) == {"ansible"}  # a part of others


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_files_that_a_page_links_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    links = re.findall(r"\]\(([^)#]+)", text) + re.findall(r"""(?:src|srcset)="([^"]+)\"""", text)
    ours = [link for link in links if not link.startswith(("http", "mailto"))]
    assert [link for link in ours if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_verbs_and_flags_of_the_device_commands_of_a_page_exist(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"```(?:console|sh|bash)\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    commands = [match.group(1) for line in lines if (match := re.search(r"(?:^|[ /])edge-runtime ((?!-).+)", line))]
    for command in commands:
        verb, *rest = command.split("#")[0].split()
        if verb not in cli.VERBS:
            continue  # a path that ends so, as in `ls /opt/edge-runtime lib`
        assert cli.main([verb, "--help"]) == 0
        help_text = capsys.readouterr().out
        flags = {word.split("=")[0] for word in rest if word.startswith("--") and len(word) > 2}
        if "--" in rest:  # what follows are another verb's
            flags = {word.split("=")[0] for word in rest[: rest.index("--")] if word.startswith("--")}
        assert {flag for flag in flags if not re.search(rf"{re.escape(flag)}\b", help_text)} == set(), command


def test_the_readme_is_short_has_a_picture_and_no_figure_before_the_readers_own_photos() -> None:
    assert len(README.splitlines()) <= 150
    assert "<picture>" in README
    before = README[: README.index("## Your own photos")]
    assert re.findall(r"\d+(?:\.\d+)? ?(?:%|ms|MB|kB|s\b)", before) == []
