"""`edge-train FOLDER` trains, then converts, with the defaults of make; a mistake ends it before any work."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from train import edge_train
from train.edge_train import COMMANDS, main, run_step
from train.recipes.defaults import choose_model, name_run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """What was run; a training that names its epochs ends with 7."""
    found: list[list[str]] = []

    def run(module: str, arguments: list[str]) -> int:
        found.append([module, *arguments])
        return 7 if "--epochs" in arguments else 0

    monkeypatch.setattr(edge_train, "run_step", run)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    return found


def test_a_folder_is_trained_and_converted(steps: list[list[str]]) -> None:
    assert main(["photos", "--size", "small", "--", "--max-drop", "0.5"]) == 0
    assert steps == [
        ["train", "--data", "photos", "--size", "small", "--resume", "--out", "runs/photos-transfer-small"],
        ["convert", "runs/photos-transfer-small", "--out", "build/photos-transfer-small.tflite", "--force", "--max-drop", "0.5"],
    ]  # fmt: skip


def test_places_may_be_named_and_force_trains_again(steps: list[list[str]]) -> None:
    assert main(["cifar10-mini", "--run", "runs/a", "--out", "b.tflite", "--force"]) == 0
    assert steps == [
        ["train", "--data", "cifar10-mini", "--out", "runs/a", "--force"],
        ["convert", "runs/a", "--out", "b.tflite", "--force"],
    ]


def test_a_training_that_fails_is_not_converted(steps: list[list[str]]) -> None:
    assert main(["photos", "--model", "resnet8", "--epochs", "1"]) == 7
    assert [step[0] for step in steps] == ["train"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_gets_its_flags(command: str, steps: list[list[str]]) -> None:
    assert main([command, "--help"]) == 0
    assert steps == [[COMMANDS[command], "--help"]]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["fotos"], 66, "error: There is no folder fotos; did you mean photos, expected photos in one directory per class; see"),
        (["serch"], 66, "error: There is no folder serch; did you mean search, expected"),
        (["photos", "--sise", "small"], 2, "error: Unrecognized arguments: --sise small; did you mean --size; see edge-train"),
        (["photos", "--size", "huge"], 2, "error: --size is 'huge', but the model transfer comes as tiny, small, full"),
        (["photos", "--flip", "of"], 2, "error: Argument --flip: invalid choice: 'of'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_before_any_work(
    arguments: list[str], code: int, said: str, steps: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    err = capsys.readouterr().err
    assert err.startswith(said) and err.count("\n") == 1
    assert steps == []


def test_the_usage_is_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "edge-train photos --size small" in capsys.readouterr().out
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("usage: edge-train FOLDER")


def test_a_file_called_train_where_the_user_works_is_not_taken_for_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if sys.version_info < (3, 11):
        pytest.skip("Python 3.10 puts the working folder first; docs/host-package.md says so")
    (tmp_path / "train.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert run_step("train", ["--help"]) == 0
    assert "usage: python -m train" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("data", "size"), [("cifar10-mini", ""), ("cifar10", ""), ("photos", ""), ("~/my/photos/", "tiny")]
)
def test_make_has_the_same_defaults(data: str, size: str) -> None:
    command = [
        "make",
        "--dry-run",
        "--old-file",
        ".venv/.ready",
        "train",
        f"DATA={data}",
        *([f"SIZE={size}"] if size else []),
    ]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (found,) = re.findall(r'-m train .*--model (\S+).*--out "([^"]+)"', said)
    model = choose_model(data)
    assert found == (model, str(name_run(data, model, size or None)))


def test_the_package_needs_what_the_environment_of_the_workstation_holds() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11")
    host = tomllib.loads((ROOT / "train" / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    pages = [entry for entry in groups["extras"] if entry.startswith(("starlette", "uvicorn", "cryptography"))]
    assert host == [*groups["host"], *pages]


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_three_packages(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
    ]
    subprocess.run([*command, str(ROOT / "train")], check=True)
    (wheel,) = tmp_path.glob("edge_train-*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(
        ["git", "ls-files", "train", "convert", "edge_runtime"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name for name in names if not name.endswith(".pyc")} >= set(tracked)
    assert not [name for name in names if name.endswith(".pyc")]
