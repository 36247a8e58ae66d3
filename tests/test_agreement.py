"""The shipped model gives the measured answer on the embedded test images, with every interpreter, by the same path."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.contract import InputSpec
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.metrics import wilson_interval
from edge_runtime.store.shipped import default_model
from train.datasets.cifar10_mini import read_mini

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def held_out() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    _, split = read_mini(InputSpec(32, 32))
    return split.images, split.labels


@pytest.fixture(scope="module")
def answers(held_out: tuple[NDArray[np.uint8], NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    images, _ = held_out
    found = {}
    for backend in list_available_backends():
        with Classifier(default_model(), backend=backend) as classifier:
            frames = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in images]
            found[backend] = np.array([int(np.argmax(classifier.probabilities(frame))) for frame in frames])
    return found


def test_each_interpreter_reaches_the_accuracy_that_the_file_claims(
    answers: dict[str, NDArray[np.int64]], held_out: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    with Classifier(default_model()) as classifier:
        claimed = {score.backend: score.accuracy for score in classifier.contract.scores}
    for backend, predicted in answers.items():
        low, high = wilson_interval(int((predicted == held_out[1]).sum()), len(predicted), confidence=0.999)
        assert low <= claimed[backend] <= high, backend


@pytest.mark.skipif(
    len(list_available_backends()) < 2, reason="needs both interpreters, so Python 3.10 or 3.11 on Linux"
)
def test_both_interpreters_are_within_one_point_of_each_other(
    answers: dict[str, NDArray[np.int64]], held_out: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> None:
    first, second = (float((predicted == held_out[1]).mean()) for predicted in answers.values())
    assert abs(first - second) <= 0.01


def test_the_folder_of_the_shipped_models_has_the_default_one() -> None:
    assert Path(default_model()).name == "default.tflite"
