"""Every command of every page runs as it is written, in a folder that has what the pages name. A command that cannot run
here stands in `SKIPPED` with the reason; its flags are parsed all the same, and a target of make is played dry.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.errors import UsageError
from tests.edge_runtime.toy_graphs import colours
from tests.tools.docs.reference import list_parsers
from train import edge_train

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PARSERS = dict(list_parsers())

ENDLESS = r"edge-runtime (run|teach) .*--(web|loop)"
CAMERA, DEVICE, NETWORK = "needs a camera", "needs the device, or changes this one", "needs a network"
LONG, THEIRS = "takes minutes or more: played dry", "needs a file of the reader's"
# The first expression that a command matches says why it is not run.
SKIPPED = {
    r"--camera (0|csi|picamera2|rtsps?:|https?:)|edge-runtime collect (?!.*clip)|--capture|CAPTURE=1": CAMERA,
    r"^(ssh|scp|journalctl|tar xf)\b|sudo (apt|systemctl|ln|python3|/opt)|/opt/|\| sudo tee|dist/": DEVICE,
    r"edge-runtime trust (?!--list)": DEVICE,
    r"https://|openssl (s_client|x509)|\bpip install|pipx install|-m venv": NETWORK,
    r"^~/edge/": DEVICE,
    r"^make ": LONG,
    r"python -m train\b|train\.(search|zoo|prune|sort)|^edge-train": LONG,
    r"-m convert (runs/|model\.keras)|convert\.(compare|explain|improve)": LONG,
    r"-m pytest": "is what runs this",
    r"adopt yolov8n|--backend tflite": THEIRS,
    r"edge-runtime teach|--as-backbone|taught\.tflite": "needs the backbone file, which takes minutes to make",
    r"^edge-runtime rollback --refuse": "comes after a rollback: there is one model less than it needs",
}


def list_commands(page: Path) -> list[str]:
    """The command lines of a page, in its order, continued lines joined."""
    blocks = re.findall(r"^```(?:console|sh|bash)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line.removeprefix("$ ").strip() for line in lines if line.startswith("$ ")]


def find_reason(command: str) -> str | None:
    return next((reason for pattern, reason in SKIPPED.items() if re.search(pattern, command)), None)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_every_line_of_a_console_block_is_a_command() -> None:
    for page in PAGES:
        for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
            if kind in ("console", "sh", "bash"):
                lines = block.replace("\\\n", " ").splitlines()
                assert [line for line in lines if not line.startswith("$ ")] == [], named(page)
            elif kind == "":
                assert not re.search(r"^(\$ |make |edge-runtime |python )", block, re.MULTILINE), named(page)


def test_every_reason_to_skip_is_needed() -> None:
    commands = [command for page in PAGES for command in list_commands(page)]
    used = [next((pattern for pattern in SKIPPED if re.search(pattern, command)), None) for command in commands]
    assert set(SKIPPED) - set(used) == set()
    assert sum(pattern is None for pattern in used) > 40


class _Parsed(Exception):
    """The command line is right, and its work begins here."""


def parse(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Has a command of ours read its flags, and no more. Raises UsageError where they are wrong."""
    program = next(
        (name for name in PARSERS if words[: len(name.split())] == name.split()),
        "edge-train" if words[0] == "edge-train" else None,
    )
    if program is None:
        return
    if program == "edge-train":
        asked: list[tuple[str, list[str]]] = []
        monkeypatch.setattr(edge_train, "run_step", lambda module, flags: asked.append((module, list(flags))) or 0)
        monkeypatch.setattr(edge_train, "_expect_data", lambda data: None)
        assert edge_train.main(words[1:]) == 0, words
        for module, flags in asked:
            parse(["python", "-m", module, *flags], monkeypatch)
        return
    PARSERS[program].parse_args(words[len(program.split()) :])


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_flags_of_every_command_are_accepted(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in list_commands(page):
        command = command.split(" # ")[0]
        for part in re.split(r" && | \| |; ", re.sub(r" >>? \S+", "", command)):
            words = shlex.split(part, comments=True)
            while words and words[0] in ("sudo", "ssh", "pi@raspberrypi"):
                words = words[1:]
            if not words:
                continue
            words[0] = Path(words[0]).name if "/" in words[0] else words[0]
            try:
                parse(words, monkeypatch)
            except (UsageError, SystemExit) as error:
                raise AssertionError(f"{command}: {error}") from error


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_make_plays_every_command_dry_and_knows_its_variables(page: Path, tmp_path: Path) -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    for name in ("Makefile", "requirements", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    for command in list_commands(page):
        for part in command.split(" # ")[0].split(" && "):
            if not part.startswith("make "):
                continue
            words = shlex.split(part)
            names = [word.split("=")[0] for word in words[1:] if re.match(r"[A-Z_]+=", word)]
            assert [name for name in names if not re.search(rf"\$\([^)]*\b{name}\b", text)] == [], command
            done = subprocess.run([words[0], "-n", *words[1:]], cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with what the pages name."""
    home = tmp_path_factory.mktemp("reader")
    shipped = ROOT / "edge_runtime" / "models" / "default.tflite"
    for folder in ("build", "bin", ".venv/bin", "keys", "holiday", "photos/bird", ".local/share/bash-completion/completions",
                   ".config/fish/completions"):  # fmt: skip
        (home / folder).mkdir(parents=True)
    for name in (
        "flowers",
        "large",
        "model",
        "mine",
        "build/cifar10-mini-resnet8",
        "build/photos",
        "build/mine",
        "build/flowers",
    ):
        shutil.copy(shipped, home / f"{name}.tflite")
    for name in ("model_unquant", "caffe", "build/next"):
        (home / f"{name}.tflite").write_bytes(colours())
    shutil.copy(ROOT / "tests" / "edge_runtime" / "toys" / "uint8.tflite", home / "mobilenet.tflite")
    (home / "labels.txt").write_text("red\ngreen\nblue\n")
    (home / "labels.json").write_text('["red", "green", "blue"]')
    shutil.copytree(ROOT / "docs" / "samples", home / "docs" / "samples")
    for place in ("photo.jpg", "holiday/a.jpg", "photos/bird/1.jpg"):
        shutil.copy(ROOT / "docs" / "samples" / "bird.jpg", home / place)
    shutil.copy(ROOT / "docs" / "samples" / "clip.mp4", home / "clip.mp4")
    cv2.imwrite(str(home / "grey.png"), np.zeros((4, 4), np.uint8))
    programs = {
        "edge-runtime": f'exec "{sys.executable}" -m edge_runtime "$@"',
        "python": f'exec "{sys.executable}" "$@"',
        "sudo": 'exec "$@"',
    }
    for name, line in programs.items():
        for folder in ("bin", ".venv/bin"):
            program = home / folder / name
            program.write_text(f"#!/bin/sh\n{line}\n")
            program.chmod(0o755)
    return home


def prepare(command: str, home: Path) -> None:
    """What a page says in words before the command: a second model before a rollback, keys before a signature; and what
    another page's example left.
    """
    if "rollback" in command:
        model = ROOT / "edge_runtime" / "models" / "resnet8.tflite"
        run(f"edge-runtime install {shlex.quote(str(model))}", home)
    if "--key keys/maker.key" in command and not (home / "keys/maker.key").exists():
        assert run("python -m convert.sign --make-keys keys/maker", home).returncode == 0
    if adopted := re.search(r"\badopt\b.* --out (\S+)", command):  # two pages show the same example
        (home / adopted[1]).unlink(missing_ok=True)
    if "--make-keys" in command:
        for path in (home / "keys").iterdir():
            path.unlink()


def run(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{home / 'bin'}{os.pathsep}/usr/bin:/bin",
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "EDGE_RUNTIME_STORE": str(home / "store"),
    }
    words = ["bash", "-c", command]
    if re.search(ENDLESS, command):
        # It goes on until somebody ends it, which is success; `timeout` passes on how it ended.
        words = ["timeout", "--preserve-status", "--signal=TERM", "8", *words]
    return subprocess.run(words, cwd=home, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_commands_of_a_page_run_as_they_are_written(page: Path, place: Path) -> None:
    commands = [command for command in dict.fromkeys(list_commands(page)) if find_reason(command) is None]
    for command in commands:
        prepare(command, place)
        done = run(command, place)
        missing = "doctor" in command and done.returncode == 1  # there is no camera here, and it says so
        assert done.returncode == 0 or missing, f"{command}\n{done.stderr}"
