"""The zoo's recipes are complete command lines of training, and go on where they were stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from train.recipes.config import Recipe
from train.runs.flags import make_configuration, make_parser
from train.zoo import ZOO, ZooModel, list_flags_of, main


@pytest.mark.parametrize("name", ZOO)
def test_every_zoo_model_is_a_resumable_training_on_the_complete_data_set(name: str, tmp_path: Path) -> None:
    for earlier in {ZOO[name].teacher, ZOO[name].start} - {None}:
        run = tmp_path / f"zoo-{earlier}"
        run.mkdir()
        (run / "model.keras").write_bytes(b"weights")
        (run / "config.json").write_text(json.dumps({"name": "small"}))
    args = make_parser().parse_args(list_flags_of(name, tmp_path / "again", Path("here.npz")))
    config = make_configuration(args)
    assert isinstance(config.recipe, Recipe)
    assert (config.name, config.model) == 2 * (ZOO[name].model or name,)
    assert (config.data, args.resume) == ("cifar10", True)
    assert (config.recipe.name, config.recipe.epochs, config.seed) == (ZOO[name].recipe, ZOO[name].epochs, 0)
    assert (args.out, args.data_path) == (tmp_path / "again", Path("here.npz"))
    assert (config.teacher is not None) == (ZOO[name].teacher is not None)
    assert (config.start is not None) == (ZOO[name].start is not None)


def test_a_finished_run_is_not_trained_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "micro").mkdir()
    assert main(["micro", "--out", str(tmp_path / "micro")]) == 0
    assert "is already complete; there is nothing to do." in capsys.readouterr().err


def test_a_data_set_that_is_not_there_is_said_before_any_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["micro", "--out", str(tmp_path / "micro"), "--data-path", str(tmp_path / "none.npz")]) == 66
    assert "none.npz; expected CIFAR-10 as an .npz or a folder of its batches" in capsys.readouterr().err


def test_the_teacher_of_a_zoo_model_is_trained_first_and_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr("train.zoo.train_main", lambda flags: commands.append(list(flags)) or 0)
    monkeypatch.setitem(ZOO, "micro", ZooModel("modern", 45, teacher="small-teacher"))
    assert main(["micro", "--out", str(tmp_path / "student")]) == 0
    teacher, student = commands
    assert teacher[teacher.index("--model") + 1] == "small"
    beside = str(tmp_path / "zoo-small-teacher")
    assert teacher[teacher.index("--out") + 1] == student[student.index("--teacher") + 1] == beside
    assert "--teacher" not in teacher and student[student.index("--model") + 1] == "micro"


def test_what_a_zoo_model_goes_on_from_is_trained_before_it_with_all_that_it_needs_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr("train.zoo.train_main", lambda flags: commands.append(list(flags)) or 0)
    monkeypatch.setitem(ZOO, "first", ZooModel("modern", 9, teacher="small-teacher", model="micro"))
    monkeypatch.setitem(ZOO, "micro", ZooModel("modern", 4, {"light": 0.5}, start="first"))
    assert main(["micro", "--out", str(tmp_path / "student")]) == 0
    teacher, first, student = commands
    assert teacher[teacher.index("--out") + 1] == first[first.index("--teacher") + 1]
    assert first[first.index("--out") + 1] == student[student.index("--start") + 1] == str(tmp_path / "zoo-first")
    assert student[student.index("--light") + 1] == "0.5" and "--teacher" not in student


def test_a_teacher_that_could_not_be_trained_ends_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr("train.zoo.train_main", lambda flags: commands.append(list(flags)) or 130)
    monkeypatch.setitem(ZOO, "micro", ZooModel("modern", 45, teacher="small"))
    assert main(["micro", "--out", str(tmp_path / "student")]) == 130
    assert len(commands) == 1
