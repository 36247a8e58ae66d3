"""Training repeats itself exactly, goes on exactly where it stopped, and picks its best epoch by validation."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.contract import InputSpec
from edge_runtime.errors import ConfigurationError, DataError
from train.datasets.dataset import Dataset
from train.progress import Progress
from train.recipes.config import Recipe, TrainConfig, adam, modern, to_json_object
from train.scratch.batches import draw_epoch_batches

tf = pytest.importorskip("tensorflow", reason="needs TensorFlow, the workstation's environment")
pytestmark = pytest.mark.tensorflow

from train.scratch.fit import fit  # noqa: E402
from train.training.checkpoint import FILE_NAME, expect_same, load_checkpoint  # noqa: E402
from train.training.logits import compute_logits  # noqa: E402
from train.training.result import TrainResult  # noqa: E402


def config(recipe: Recipe, model: str = "seed_cnn") -> TrainConfig:
    return TrainConfig("colours", "colours", model, InputSpec(8, 8), recipe, 3)


def small(recipe: Recipe) -> Recipe:
    return dataclasses.replace(recipe, batch_size=16, crop_padding=min(recipe.crop_padding, 1))


def run(recipe: Recipe, data: Dataset, folder: Path, *, resume: bool = False, model: str = "seed_cnn") -> TrainResult:
    return fit(config(recipe, model), data, folder, resume=resume, progress=Progress(io.StringIO(), recipe.epochs))


class Killed(Exception):
    pass


class KillingProgress(Progress):
    """Ends the training, as a signal would, in the middle of the third epoch."""

    def step(self, epoch: int, step: int, num_steps: int, loss: float) -> None:
        if epoch == 2 and step == 2:
            raise Killed


def same_weights(first: TrainResult, second: TrainResult) -> bool:
    pairs = zip(first.model.get_weights(), second.model.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("recipe", "model"),
    [
        (adam(4), "seed_cnn"),
        (dataclasses.replace(modern(3), mixup=0.2), "resnet8"),
        (dataclasses.replace(modern(3), precision="bfloat16"), "resnet8"),
    ],
    ids=["adam", "modern", "bfloat16"],
)
def test_a_killed_run_goes_on_exactly_as_if_it_had_not_been(
    colours: Dataset, tmp_path: Path, recipe: Recipe, model: str
) -> None:
    """Which two trainings of one seed can only do when that gives the same weights."""
    whole = run(small(recipe), colours, tmp_path / "whole", model=model)
    with pytest.raises(Killed):
        fit(
            config(small(recipe), model),
            colours,
            tmp_path / "killed",
            resume=False,
            progress=KillingProgress(io.StringIO(), recipe.epochs),
        )
    state = load_checkpoint(tmp_path / "killed")
    assert state is not None
    assert state.epoch == 2
    resumed = run(small(recipe), colours, tmp_path / "killed", resume=True, model=model)
    assert same_weights(whole, resumed)
    assert len(resumed.history) == recipe.epochs


def test_three_colours_are_learnt_and_the_best_epoch_is_kept(colours: Dataset, tmp_path: Path) -> None:
    result = run(small(adam(6)), colours, tmp_path)
    best = max(row["validation_accuracy"] for row in result.history)
    answers = compute_logits(result.model, colours.validation).argmax(axis=1)
    assert np.mean(answers == colours.validation.labels) == best == 1.0
    assert result.history[result.best_epoch - 1]["validation_accuracy"] == best


def test_a_checkpoint_of_other_settings_is_not_resumed(colours: Dataset, tmp_path: Path) -> None:
    run(small(adam(1)), colours, tmp_path)
    with pytest.raises(ConfigurationError, match=r"was made with another recipe: .* Resume with the same settings"):
        run(small(adam(2)), colours, tmp_path, resume=True)


def test_a_damaged_checkpoint_is_refused(colours: Dataset, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(DataError, match=r"checkpoint.npz cannot be read .* Start again with --force"):
        run(small(adam(1)), colours, tmp_path, resume=True)


def test_a_training_that_blows_up_says_so(colours: Dataset, tmp_path: Path) -> None:
    wild = dataclasses.replace(small(modern(8)), learning_rate=10.0, warmup=0.0, weight_decay=0.9, average=0.0)
    with pytest.raises(DataError, match=r"loss is not a number any more in epoch \d, expected a finite one; lower"):
        run(wild, colours, tmp_path)


def test_an_error_while_reading_images_reaches_the_caller(colours: Dataset) -> None:
    class Broken:
        labels = colours.train.labels

        def read(self, indices: object) -> None:
            raise DataError("image 7 is gone")

    with pytest.raises(DataError, match="image 7 is gone"):
        list(draw_epoch_batches(Broken(), 3, adam(), 0, 0))  # type: ignore[arg-type]


def test_the_configuration_is_plain_json_values() -> None:
    assert to_json_object(config(adam()))["recipe"]["name"] == "adam"


def test_a_checkpoint_from_before_teachers_existed_is_gone_on_with(tmp_path: Path) -> None:
    recipe = small(adam(2))
    saved = {key: value for key, value in to_json_object(config(recipe)).items() if key != "teacher"}
    expect_same(saved, to_json_object(config(recipe)), tmp_path)
    with pytest.raises(ConfigurationError, match=r"made with another seed: \[3\] there, \[4\] now"):
        expect_same(saved, to_json_object(dataclasses.replace(config(recipe), seed=4)), tmp_path)
