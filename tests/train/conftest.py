"""A data set small enough to train in a second: three colours that any network can tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.contract import InputSpec
from train.datasets.dataset import ArraySplit, Dataset


def colour_split(name: str, num: int, seed: int) -> ArraySplit:
    rng = np.random.default_rng(seed)
    labels = np.arange(num, dtype=np.int64) % 3
    images = rng.integers(0, 80, (num, 8, 8, 3), np.uint8)
    images[np.arange(num), :, :, labels] += 120
    return ArraySplit(images, labels, tuple(f"{name}/{i:03d}" for i in range(num)), InputSpec(8, 8))


@pytest.fixture(scope="session")
def colours() -> Dataset:
    """Do not change its arrays."""
    splits = [colour_split(name, num, seed) for seed, (name, num) in enumerate((("a", 96), ("b", 24), ("c", 30)))]
    return Dataset("colours", ("red", "green", "blue"), *splits)


@pytest.fixture
def brief_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit of the last layer takes 60 steps instead of 400, and cross-validation makes eleven of them."""
    monkeypatch.setattr("train.transfer.head.NUM_STEPS", 60)
