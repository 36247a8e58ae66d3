"""A frame that is unlike all calibration images is unknown, whatever its score; on every backend, and from the file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edge_runtime.contract import Contract, Neighbours
from edge_runtime.errors import ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.inference.neighbours import NeighbourTable
from edge_runtime.inference.postprocess import NOT_SURE, UNLIKE, predict
from edge_runtime.inference.selftest import selftest
from edge_runtime.model.inner_tensors import declare_outputs, find_features
from edge_runtime.model.model_file import ModelFile, read_model, write_model

LABELS = ("red", "green", "blue")


def flat(bgr: tuple[int, int, int]) -> np.ndarray:
    return np.full((8, 8, 3), bgr, np.uint8)


RED, GREEN, BLUE = flat((20, 20, 240)), flat((20, 240, 20)), flat((240, 20, 20))


def with_neighbours(toy_file: bytes, cut: float = 0.9) -> bytes:
    """The toy, which has seen four reds and four greens."""
    model = read_model(toy_file, "toy")
    found = find_features(model.flatbuffer)
    assert found is not None
    neighbours = Neighbours(found.tensor, found.zero_point, found.width, 8, 3, cut)
    contract = dataclasses.replace(model.contract, neighbours=neighbours)
    classifier = Classifier(dataclasses.replace(model, contract=contract))
    rows = []
    for frame in (RED, GREEN):
        classifier.classify(frame)
        rows += [classifier.last_features()] * 4
    table = NeighbourTable(neighbours, np.stack(rows))
    goldens = model.goldens
    assert goldens is not None
    similarities = []
    for frame in goldens.frames:
        classifier.classify(frame)
        similarities.append(table.similarity(classifier.last_features()))
    goldens = dataclasses.replace(goldens, similarities=np.array(similarities, np.float32))
    return write_model(model.flatbuffer, contract, goldens, np.stack(rows))


@pytest.fixture
def model(toy_file: bytes) -> ModelFile:
    return read_model(with_neighbours(toy_file), "toy")


def test_the_cosine_is_that_of_the_third_nearest() -> None:
    rows = np.array([[10, 0], [10, 1], [8, 8], [0, 10]], np.int8) - np.int8(100)
    table = NeighbourTable(Neighbours(0, -100, 2, 4, 3, 0.5), rows)
    assert table.similarity(np.array([-80, -100], np.int8)) == pytest.approx(np.sqrt(0.5))
    assert table.similarity(np.array([-100, -100], np.int8)) == 0.0, "features without a direction are like nothing"


def test_two_reasons_for_unknown_and_the_stranger_one_first() -> None:
    scores = np.array([0.5, 0.3, 0.2], np.float32)
    assert predict(scores, LABELS, 0.6, similarity=0.95, cut=0.9).reason == NOT_SURE
    both = predict(scores, LABELS, 0.6, similarity=0.8, cut=0.9)
    assert (both.label, both.unknown, both.reason, both.similarity) == ("unknown", True, UNLIKE, 0.8)
    assert predict(scores, LABELS, 0.4, similarity=0.9, cut=0.9).reason == ""


@pytest.mark.parametrize("backend", list_available_backends())
def test_a_colour_that_it_has_not_seen_is_unknown_and_says_why(model: ModelFile, backend: str) -> None:
    classifier = Classifier(model, backend=backend)
    assert [classifier.classify(frame).label for frame in (RED, GREEN)] == ["red", "green"]
    blue = classifier.classify(BLUE)
    assert (blue.label, blue.reason) == ("unknown", UNLIKE) and blue.top[0].label == "blue"
    assert blue.similarity is not None and blue.similarity < 0.9
    assert selftest(classifier).passed


@pytest.mark.parametrize("backend", list_available_backends())
def test_without_a_threshold_every_frame_is_named(model: ModelFile, backend: str) -> None:
    classifier = Classifier(model, backend=backend, threshold=0.0)
    assert classifier.classify(BLUE).label == "blue" and classifier.classify(BLUE).similarity is None
    assert selftest(classifier).passed, "the self-test looks at the neighbours all the same"


def test_the_outputs_of_the_unchanged_file_stay_the_same(toy_file: bytes, model: ModelFile) -> None:
    plain, two = Classifier(read_model(toy_file, "toy")), Classifier(model)
    assert model.flatbuffer == read_model(toy_file, "toy").flatbuffer
    random = np.random.default_rng(0)
    for _ in range(20):
        frame = random.integers(0, 256, (8, 8, 3), np.uint8)
        np.testing.assert_array_equal(plain.raw_output(frame), two.raw_output(frame))


def test_the_self_test_finds_neighbours_that_are_not_those_recorded(model: ModelFile) -> None:
    goldens = model.goldens
    assert goldens is not None and goldens.similarities is not None
    changed = dataclasses.replace(goldens, similarities=goldens.similarities - np.float32(0.1))
    other = read_model(write_model(model.flatbuffer, model.contract, changed, model.neighbours), "toy")
    report = selftest(Classifier(other))
    assert (
        not report.passed and "cosine of" in report.failures[0] and "to its neighbours, expected" in report.failures[0]
    )


def change(model: ModelFile, **changes: object) -> Contract:
    assert model.contract.neighbours is not None
    neighbours = dataclasses.replace(model.contract.neighbours, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(model.contract, neighbours=neighbours)


def test_a_table_that_contradicts_its_contract_is_refused(model: ModelFile) -> None:
    with pytest.raises(ModelError, match=r"holds \(8, 3\) int8, expected \(9, 3\) int8"):
        write_model(model.flatbuffer, change(model, num_images=9), model.goldens, model.neighbours)
    with pytest.raises(ModelError, match=r"has no neighbours.npy, but its contract speaks of some"):
        write_model(model.flatbuffer, model.contract, model.goldens)
    bare = dataclasses.replace(model.contract, neighbours=None)
    with pytest.raises(ModelError, match=r"has neighbours.npy, but its contract speaks of none"):
        write_model(model.flatbuffer, bare, model.goldens, model.neighbours)
    wrong = dataclasses.replace(model, contract=change(model, tensor=0))
    with pytest.raises(ModelError, match=r"tensor 0 is .* but its contract says it holds 3 int8 features"):
        Classifier(wrong)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tensor": -1}, "features of tensor -1"),
        ({"zero_point": 200}, "zero point 200"),
        ({"width": 0}, "width 0"),
        ({"rank": 9}, "number 9 of 8 images"),
        ({"num_images": 10_000_000}, "at most 4194304 bytes"),
        ({"cut": 1.5}, r"cut is 1.5, expected a cosine in \[-1, 1\]"),
    ],
)
def test_neighbours_that_cannot_be_are_refused(model: ModelFile, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        change(model, **changes)


def test_a_tensor_that_is_not_there_cannot_be_an_output(toy_file: bytes) -> None:
    flatbuffer = read_model(toy_file, "toy").flatbuffer
    with pytest.raises(ModelError, match=r"has \d+ tensors, expected \[999\] among them"):
        declare_outputs(flatbuffer, [999])


def test_a_float_model_has_no_features_to_compare(toy_bytes) -> None:
    assert find_features(toy_bytes("float32")) is None
    found = find_features(read_model(toy_bytes("uint8"), "toy", "red\ngreen\nblue").flatbuffer)
    assert found is not None and found.width == 3 and found.feature_map is not None
