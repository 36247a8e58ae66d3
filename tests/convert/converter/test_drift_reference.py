"""The drift reference is what the device's own classifier gives for held-out images, evenly drawn; too few give none."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.converter.drift_reference import LEAST_IMAGES, MAX_IMAGES, _draw, measure_drift_reference
from convert.inputs.source import ImageEntry
from edge_runtime.contract.drift_reference import PROBABILITIES
from edge_runtime.inference.classifier import Classifier
from edge_runtime.pixels.light import measure_light


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[ImageEntry]:
    folder, random = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    made = []
    for number in range(LEAST_IMAGES):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), np.full((32, 32, 3), number + 20) + random.integers(0, 40, (32, 32, 3)))
        made.append(ImageEntry(path.name, 0, path, None, hashlib.sha256(path.read_bytes()).hexdigest()))
    return made


def test_quantiles_are_those_of_scores_light_and_sharpness(entries: list[ImageEntry]) -> None:
    classifier = Classifier("default")
    found = measure_drift_reference(classifier, None, entries, [])
    assert found is not None and found.num_images == LEAST_IMAGES and found.similarities == ()
    scores = [classifier.classify(entry.read()).score for entry in entries]
    lights = [measure_light(entry.read()) for entry in entries]
    np.testing.assert_allclose(found.scores, np.quantile(scores, PROBABILITIES), atol=1e-4)
    np.testing.assert_allclose(found.light, np.quantile([light.mean for light in lights], PROBABILITIES), atol=1e-4)
    sharpness = [light.sharpness for light in lights]
    np.testing.assert_allclose(found.sharpness, np.quantile(sharpness, PROBABILITIES), atol=1e-4)
    assert measure_drift_reference(classifier, None, entries, []) == found, "one run gives one file"


def test_the_empty_scene_is_part_of_what_is_normal(entries: list[ImageEntry]) -> None:
    found = measure_drift_reference(Classifier("default"), None, entries, entries[:10])
    assert found is not None and found.num_images == LEAST_IMAGES + 10


def test_too_few_images_give_none(entries: list[ImageEntry]) -> None:
    assert measure_drift_reference(Classifier("default"), None, entries[:-1], entries) is None


def test_many_images_are_drawn_evenly() -> None:
    path = Path("x")
    many = [ImageEntry(str(number), 0, path, None, "") for number in range(2 * MAX_IMAGES + 1)]
    drawn = [int(entry.name) for entry in _draw(many)]
    assert len(drawn) <= MAX_IMAGES and drawn[0] == 0 and drawn[-1] >= 2 * MAX_IMAGES - 3
    assert len({after - before for before, after in itertools.pairwise(drawn)}) == 1
    assert _draw([]) == []
