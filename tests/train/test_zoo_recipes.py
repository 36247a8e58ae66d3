"""The zoo's recipes are complete command lines of training, and go on where they were stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.__main__ import configuration, parser
from train.config import Recipe
from train.zoo import ZOO, flags_of, main


@pytest.mark.parametrize("name", ZOO)
def test_every_zoo_model_is_a_resumable_training_on_the_complete_data_set(name: str) -> None:
    args = parser().parse_args(flags_of(name, Path("runs/again"), Path("here.npz")))
    config = configuration(args)
    assert isinstance(config.recipe, Recipe)
    assert (config.name, config.model, config.data, args.resume) == (name, name, "cifar10", True)
    assert (config.recipe.name, config.recipe.epochs, config.seed) == (ZOO[name].recipe, ZOO[name].epochs, 0)
    assert (args.out, args.data_path) == (Path("runs/again"), Path("here.npz"))


def test_a_finished_run_is_not_trained_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "micro").mkdir()
    assert main(["micro", "--out", str(tmp_path / "micro")]) == 0
    assert "is complete already; nothing to do." in capsys.readouterr().err


def test_a_data_set_that_is_not_there_is_said_before_any_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["micro", "--out", str(tmp_path / "micro"), "--data-path", str(tmp_path / "none.npz")]) == 66
    assert "none.npz; expected CIFAR-10 as an .npz or a folder of its batches" in capsys.readouterr().err
