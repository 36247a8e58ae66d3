"""The recipe's numbers are checked when they are given, and the learning rate is a rule of the step alone."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from edge_runtime.contract import InputSpec
from edge_runtime.errors import ConfigurationError, ModelError, UsageError
from train.recipes.config import RECIPES, TrainConfig, adam, modern, preset
from train.recipes.schedule import compute_learning_rate


def test_seed_cnn_trains_with_adam_for_ten_epochs_unless_told_otherwise() -> None:
    assert preset("seed_cnn") == adam(10)


def test_a_preset_takes_another_recipe_and_number_of_epochs() -> None:
    assert preset("resnet8", "adam", 3) == adam(3)
    assert preset("micro", None, 45) == modern(45)


@pytest.mark.parametrize(("model", "recipe"), [("vgg", None), ("micro", "magic")])
def test_an_unknown_model_or_recipe_is_refused_with_the_known_ones(model: str, recipe: str | None) -> None:
    with pytest.raises(UsageError, match=r"There is no (model 'vgg'|recipe 'magic'), expected one of"):
        preset(model, recipe)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, r"number of epochs is 0, expected at least 1"),
        ({"batch_size": 0}, r"batch size is 0, expected at least 1"),
        ({"learning_rate": 0.0}, r"learning rate is 0.0, expected above 0, at most 10"),
        ({"optimizer": "lion"}, r"optimizer is 'lion', expected one of adam, sgd"),
        ({"precision": "float16"}, r"precision is 'float16', expected one of float32, bfloat16"),
        ({"schedule": "steps"}, r"schedule is 'steps', expected one of constant, cosine"),
        ({"mixup": -1.0}, r"mixup is -1.0, expected at least 0"),
        ({"light": 1.5}, r"share light is 1.5, expected from 0 to 1"),
        ({"averaged": -0.1}, r"share averaged is -0.1, expected from 0 to 1"),
        ({"views": 0}, r"number of views is 0, expected at least 1"),
        ({"average": 1.0}, r"average is 1.0, expected at least 0, below 1"),
    ],
)
def test_a_recipe_out_of_range_says_what_it_expected(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        dataclasses.replace(adam(), **change)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"seed is -1, expected from 0 to 4294967295"):
        TrainConfig("m", "cifar10-mini", "seed_cnn", InputSpec(32, 32), adam(), -1)


def test_a_name_that_cannot_be_a_model_s_is_refused_before_any_work() -> None:
    with pytest.raises(ModelError, match=r"model name is 'a/b', expected one non-empty word without slashes"):
        TrainConfig("a/b", "cifar10-mini", "seed_cnn", InputSpec(32, 32), adam(), 0)


def test_every_recipe_is_named_after_its_function() -> None:
    assert all(make().name == name for name, make in RECIPES.items())


def test_the_cosine_rises_over_the_warm_up_and_falls_to_almost_nothing() -> None:
    rates = [compute_learning_rate(step, 100, modern()) for step in range(100)]
    assert rates[:10] == pytest.approx([0.02 * n for n in range(1, 11)])
    assert rates[10] == pytest.approx(0.2)
    assert rates[55] == pytest.approx(0.1)
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[10:]))
    assert 0 < rates[99] < 1e-4


def test_a_constant_schedule_never_changes_the_rate() -> None:
    assert {compute_learning_rate(step, 50, adam()) for step in range(50)} == {1e-3}
