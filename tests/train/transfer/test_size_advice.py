"""Where photos are few, the size is compared with the largest on features alone, and the advice follows the figures."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs TensorFlow, the workstation's environment")
pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("brief_heads")]

import keras  # noqa: E402

from edge_runtime.contract import InputSpec  # noqa: E402
from train.datasets.dataset import ArraySplit, Dataset  # noqa: E402
from train.progress import Stage  # noqa: E402
from train.recipes.config import TrainConfig  # noqa: E402
from train.recipes.transfer_config import SCALES, transfer  # noqa: E402
from train.transfer.head import Head  # noqa: E402
from train.transfer.head_choice import HeadChoice  # noqa: E402
from train.transfer.size_advice import MOST_IMAGES, compare_with_full, is_asked_for  # noqa: E402

SPEC = InputSpec(128, 128)


def choice(accuracy: float, num_images: int = 60, num_folds: int = 5) -> HeadChoice:
    head = Head(np.zeros((2, 2), np.float32), np.zeros(2, np.float32))
    return HeadChoice(head, True, (0.5, 0.5), (accuracy, 0.1), num_images, num_folds, decided=True)


def split(num: int, seed: int) -> ArraySplit:
    """Red images and blue ones, which any feature of the colours tells apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 2
    images = rng.integers(0, 60, (num, 16, 16, 3), np.uint8)
    images[labels == 0, ..., 0] += 150
    images[labels == 1, ..., 2] += 150
    return ArraySplit(images, labels.astype(np.int64), tuple(f"{seed}/{i}" for i in range(num)), SPEC)


def advise(own_accuracy: float, *, batch_s: float = 1.0, num: int = 50) -> tuple[str, dict[str, float]]:
    """The advice on a machine that takes ``batch_s`` for a batch, where 60 s are allowed."""
    dataset = Dataset("d", ("a", "b"), split(num, 0), split(10, 1), split(4, 2))
    clock = itertools.count(0.0, batch_s)
    pixels = keras.Input((SCALES["full"].side, SCALES["full"].side, 3))
    features = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels)))
    recipe = transfer("tiny")
    config = TrainConfig("d-tiny", "d", "transfer", SPEC, recipe, 0)
    weights = np.ones(2, np.float32)
    stage = Stage(io.StringIO(), "x", 60)
    found = choice(own_accuracy)
    return compare_with_full(config, recipe, dataset, features, found, weights, stage, 60.0, lambda: next(clock))


def test_a_size_that_would_be_better_is_advised() -> None:
    sentence, accuracy = advise(0.7)
    assert accuracy == {"tiny": 0.7, "full": 1.0}
    assert "cross-validated on 60 images: tiny 70.0%, full 100.0%; --size full would probably be better" in sentence


def test_a_size_that_would_not_is_not() -> None:
    sentence, _ = advise(0.995)
    assert "a larger size would hardly help, more images would" in sentence


@pytest.mark.parametrize(
    ("batch_s", "num", "message"),
    [
        (12.0, 300, "its features of 310 images would take about 01:56 here, and 01:00, a fifth of --minutes"),
        (70.0, 50, "its features of 60 images would take over 01:10 here, and"),
    ],
)
def test_a_comparison_that_would_take_the_time_of_tuning_is_left(batch_s: float, num: int, message: str) -> None:
    sentence, accuracy = advise(0.7, batch_s=batch_s, num=num)
    assert accuracy == {"tiny": 0.7}
    assert sentence.startswith("not compared with the size full: ") and message in sentence
    assert sentence.endswith("the rest is kept for tuning")


def test_only_few_photos_are_compared() -> None:
    assert is_asked_for(choice(0.7), transfer("small"))
    assert not is_asked_for(choice(0.7), transfer("full"))
    assert not is_asked_for(choice(0.7, num_folds=1), transfer("small"))
    assert not is_asked_for(choice(0.7, MOST_IMAGES + 1), transfer("small"))
