"""Corrupted images are the same ones for every model, and a model's answers to them are counted, not estimated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.measure.corruptions import CORRUPTIONS, NUM_STRENGTHS, Corruption
from convert.measure.robustness import Robustness, choose_indices, measure_robustness
from convert.report.robustness_section import render_marked, tabulate_robustness
from edge_runtime.inference.classifier import Classifier

every_corruption = pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.name)


def image() -> np.ndarray:
    """32x32 BGR: a coloured hill."""
    y, x = np.mgrid[:32, :32]
    hill = np.exp(-((x - 14.3) ** 2 + (y - 16.7) ** 2) / 60)
    return np.stack([np.rint(40 + height * hill) for height in (60, 120, 200)], axis=2).astype(np.uint8)


def named(name: str) -> Corruption:
    (found,) = (corruption for corruption in CORRUPTIONS if corruption.name == name)
    return found


@every_corruption
def test_higher_strengths_change_more_and_always_in_the_same_way(corruption: Corruption) -> None:
    assert len(corruption.strengths) == NUM_STRENGTHS
    given = image()
    out = [corruption.apply(given, level, 3) for level in range(NUM_STRENGTHS)]
    distances = [float(np.abs(one.astype(int) - given).mean()) for one in out]
    assert all(one.shape == given.shape and one.dtype == np.uint8 for one in out)
    assert 0 < distances[0] < distances[2] < distances[4]
    assert np.array_equal(out[4], corruption.apply(image(), 4, 3))


def test_a_darker_image_is_the_rounded_product() -> None:
    given = np.array([[[0, 10, 255]]], np.uint8)
    assert named("dark").apply(given, 3, 0).tolist() == [[[0, 2, 64]]]  # x 0.25; rint goes to even


def test_a_image_that_lost_all_colour_has_the_weights_of_luma_in_bgr_order() -> None:
    given = np.array([[[100, 0, 0], [0, 100, 0], [0, 0, 100]]], np.uint8)
    assert named("grey").apply(given, 4, 0)[..., 0].tolist() == [[11, 59, 30]]


def test_noise_differs_from_image_to_image() -> None:
    assert not np.array_equal(named("noise").apply(image(), 2, 0), named("noise").apply(image(), 2, 1))


def test_the_chosen_images_are_spread_over_all_and_never_more_than_there_are() -> None:
    assert choose_indices(10, 4).tolist() == [0, 3, 6, 9]
    assert choose_indices(3, 100).tolist() == [0, 1, 2]


def test_a_model_that_always_gives_one_answer_is_right_as_often_as_that_class_occurs(
    toy: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "toy.tflite"
    path.write_bytes(toy)
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    flat = np.full((8, 8, 3), 127, np.uint8)
    with Classifier(path, labels=tmp_path / "labels.txt") as classifier:
        answer = int(classifier.probabilities(flat).argmax())
        found = measure_robustness(classifier, [flat] * 4, np.array([answer] * 3 + [(answer + 1) % 3]))
    assert (found.num_images, found.clean) == (4, 0.75)
    assert found.accuracies["flat"] == (0.75,) * 5 and found.accuracies["blur"] == (0.75,) * 5
    assert found.mean == pytest.approx(np.mean(list(found.accuracies.values())))


def test_a_card_s_section_has_a_row_for_each_corruption_and_a_table_one_for_each_model() -> None:
    rates = {corruption.name: (0.9, 0.8, 0.7, 0.6, 0.5) for corruption in CORRUPTIONS}
    one = Robustness(200, "litert", 0.95, rates)
    section = render_marked(one)
    assert section.startswith("<!-- robustness -->\nint8 on litert, 200 test images, 95.0% right as they are")
    assert "| blur (sigma 0.5, 0.75, 1, 1.25, 1.5) | 90.0% | 80.0% | 70.0% | 60.0% | 50.0% | 70.0% |" in section
    assert "| **mean** |" in section and section.endswith("<!-- end of robustness -->")
    assert f"| a | 95.0% |{' 70.0% |' * (len(CORRUPTIONS) + 1)}" in tabulate_robustness({"a": one})
