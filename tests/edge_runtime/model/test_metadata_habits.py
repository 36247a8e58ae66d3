"""Habits of those who write TFLite Metadata: several label lists, and normalisations that do not hold."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.contract import Normalization
from edge_runtime.inference.classifier import Classifier
from edge_runtime.model.model_file import read_model
from tests.edge_runtime.toy_graphs import attach, colours, describe_with_metadata

IDS, NAMES = "/m/01\n/m/02\n/m/03\n", "red\ngreen\nblue\n"


@pytest.mark.parametrize(
    "label_files",
    [
        {"": "names.txt"},
        {"en": "names.txt"},
        {"": "ids.txt", "en": "names.txt"},
        {"de": "german.txt", "en": "names.txt"},
        {"fr": "names.txt"},
    ],
)
def test_of_several_label_lists_the_names_in_english_are_taken(label_files):
    content = describe_with_metadata(colours(), 127.5, 127.5, label_files)
    for member, text in (("ids.txt", IDS), ("german.txt", "rot\ngruen\nblau\n"), ("names.txt", NAMES)):
        content = attach(content, member, text)
    model = read_model(content, "toy")
    assert model.contract.spec.labels == ("red", "green", "blue")
    assert model.contract.normalization == Normalization((127.5,), (127.5,))


def test_a_uint8_input_takes_raw_pixels_whatever_its_metadata_says(toy_bytes):
    content = attach(describe_with_metadata(toy_bytes("uint8"), 0.0, 1.0, {"": "names.txt"}), "names.txt", NAMES)
    frame = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    with Classifier(read_model(content, "toy")) as classifier:
        assert np.array_equal(classifier.input_tensor(frame), frame[..., ::-1])
