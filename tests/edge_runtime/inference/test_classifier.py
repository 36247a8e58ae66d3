"""The one path from frame to label, on toys that tell colours apart; and loading that fails closed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge_runtime import cli
from edge_runtime.cameras.frame import Frame
from edge_runtime.contract import InputSpec, Normalization, Region, TensorSpec
from edge_runtime.errors import DataError, MissingInputError, ModelError, UsageError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.inference.postprocess import probabilities
from edge_runtime.model.model_file import ModelFile, open_model, read_model
from edge_runtime.model.stated_input import StatedInput
from edge_runtime.pixels.region import cut_input
from edge_runtime.store.shipped import default_model, list_shipped_models

LABEL_TEXT = "red\ngreen\nblue\n"
COLOURS = {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0)}


def raw_floats(toy: str) -> StatedInput | None:
    """A float input must be stated; this toy's takes raw pixels."""
    return StatedInput.parse(normalize="0..255") if toy == "float32" else None


def image(label: str, height: int = 13, width: int = 21) -> np.ndarray:
    return np.broadcast_to(np.array(COLOURS[label], np.uint8), (height, width, 3)).copy()


@pytest.fixture(params=list_available_backends())
def backend(request):
    return request.param


@pytest.mark.parametrize("toy", ["uint8", "int8", "float32", "int8_logits", "uint8_metadata"])
@pytest.mark.parametrize("label", COLOURS)
def test_a_bgr_frame_of_one_colour_gets_its_name(toy, label, backend, toy_bytes):
    labels = None if toy == "uint8_metadata" else LABEL_TEXT
    with Classifier(read_model(toy_bytes(toy), toy, labels, stated=raw_floats(toy)), backend=backend) as classifier:
        answer = classifier.classify(image(label))
        assert (answer.label, answer.unknown) == (label, False)
        assert classifier.probabilities(image(label)).dtype == np.float32
        stored = classifier.raw_output(image(label))
        assert stored.dtype == classifier.contract.output_tensor.dtype
        assert (classifier.probabilities(image(label)) == probabilities(stored, classifier.contract)).all()


def test_input_tensors_are_the_pixels_of_each_dtype(toy_bytes):
    frame = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    rgb = frame[..., ::-1].astype(int)
    for toy, shift in (("uint8", 0), ("int8", 128), ("float32", 0)):
        stored = Classifier(read_model(toy_bytes(toy), toy, LABEL_TEXT, stated=raw_floats(toy))).input_tensor(frame)
        assert (stored == rgb - shift).all()
        assert stored.dtype == toy


@pytest.mark.parametrize("resize", ["stretch", "crop", "letterbox"])
@pytest.mark.parametrize("size", [(8, 8), (13, 21), (120, 90), (3, 5)])
def test_pixels_written_straight_into_the_interpreter_are_those_of_the_input_tensor(resize, size, backend, toy_bytes):
    model = read_model(toy_bytes("uint8"), "toy", LABEL_TEXT)
    spec = dataclasses.replace(model.contract.spec, input=InputSpec(8, 8, resize))
    model = dataclasses.replace(model, contract=dataclasses.replace(model.contract, spec=spec))
    classifier = Classifier(model, backend=backend)
    frames = np.random.default_rng(3).integers(0, 256, (3, *size, 3), np.uint8)
    for frame in (*frames, frames[0, :, ::-1]):
        kept = frame.copy()
        answer = classifier.raw_output(frame)
        filled = classifier.interpreter.input_view().copy()
        assert (filled == classifier.input_tensor(frame)).all() and filled.any()
        assert (answer == classifier.interpreter.invoke(filled)).all()
        assert (frame == kept).all()


def test_a_refused_frame_does_not_hold_the_interpreters_memory(backend, toy_bytes):
    classifier = Classifier(read_model(toy_bytes("uint8"), "toy", LABEL_TEXT), backend=backend)
    with pytest.raises(DataError, match=r"expected \(h, w, 3\) uint8 in BGR order") as kept:
        classifier.classify(np.zeros((4, 4), np.uint8))
    assert classifier.classify(image("green")).label == "green"
    assert kept.tb is not None


def test_an_opencv_that_makes_an_array_of_its_own_gives_the_same_answers(monkeypatch, toy_bytes):
    model = read_model(toy_bytes("uint8"), "toy", LABEL_TEXT)
    straight = Classifier(model)
    monkeypatch.setattr("edge_runtime.inference.classifier.can_be_written", lambda out: False)
    monkeypatch.setattr(straight.interpreter, "invoke", None)
    copying = Classifier(model)
    monkeypatch.setattr(copying.interpreter, "input_view", None)
    for label in COLOURS:
        assert straight.classify(image(label)) == copying.classify(image(label))


def test_a_camera_frame_is_taken_by_its_pixels(toy_file):
    classifier = Classifier(read_model(toy_file, "toy"))
    assert classifier.classify(SimpleNamespace(pixels=image("blue"))) == classifier.classify(image("blue"))


def test_threshold_and_top_k_are_the_callers_else_the_contracts(toy_file):
    model = read_model(toy_file, "toy")
    grey = np.full((8, 8, 3), 128, np.uint8)
    assert Classifier(model).classify(grey).label in COLOURS
    answer = Classifier(model, threshold=0.9, top_k=1).classify(grey)
    assert (answer.label, answer.unknown, len(answer.top)) == ("unknown", True, 1)


def test_a_label_may_need_more_and_the_callers_threshold_replaces_all_of_the_models(toy_file):
    model = read_model(toy_file, "toy")
    grey = np.full((8, 8, 3), 128, np.uint8)
    label = Classifier(model).classify(grey).label
    assert Classifier(model, class_thresholds={label: 0.99}).classify(grey).unknown
    other = next(name for name in model.contract.spec.labels if name != label)
    assert not Classifier(model, class_thresholds={other: 0.99}).classify(grey).unknown
    strict = dataclasses.replace(
        model, contract=dataclasses.replace(model.contract, threshold=0.1, class_thresholds={label: 0.99})
    )
    assert Classifier(strict).classify(grey).unknown
    assert not Classifier(strict, class_thresholds={label: 0.0}).classify(grey).unknown
    assert not Classifier(strict, threshold=0.1).classify(grey).unknown


def test_a_path_and_a_label_file_are_opened(toy_bytes, tmp_path):
    (tmp_path / "toy.tflite").write_bytes(toy_bytes("int8"))
    (tmp_path / "names.txt").write_text(LABEL_TEXT)
    classifier = Classifier(tmp_path / "toy.tflite", labels=tmp_path / "names.txt")
    assert classifier.classify(image("green")).label == "green"


def test_arguments_that_cannot_be_are_refused(toy_file):
    model = read_model(toy_file, "toy")
    with pytest.raises(UsageError, match=r"`threshold` is 1.5, expected a probability in \[0, 1\]"):
        Classifier(model, threshold=1.5)
    with pytest.raises(UsageError, match=r"`class_thresholds` names 'mug', expected a label of the model: "):
        Classifier(model, class_thresholds={"mug": 0.5})
    with pytest.raises(UsageError, match=r"`class_thresholds` has 2 for \w+, expected a probability in \[0, 1\]"):
        Classifier(model, class_thresholds={model.contract.spec.labels[0]: 2})
    with pytest.raises(UsageError, match="`top_k` is 0, expected at least 1"):
        Classifier(model, top_k=0)
    with pytest.raises(UsageError, match=r"already open, so the labels x\.txt cannot be used; give them to open_model"):
        Classifier(model, labels="x.txt")


def test_what_is_no_frame_is_refused(toy_file):
    with pytest.raises(DataError, match=r"The frame is \(8, 8\) uint8, expected \(h, w, 3\) uint8"):
        Classifier(read_model(toy_file, "toy")).classify(np.zeros((8, 8), np.uint8))


@pytest.mark.parametrize(
    ("which", "changes", "message"),
    [
        ("input_tensor", {"dtype": "int8"}, "model's input is .* uint8 with .* but its contract says .* int8"),
        ("input_tensor", {"scale": 1.0}, "scale 0.0078125 and zero point 127 but its contract says .* scale 1.0"),
        ("input_tensor", {"zero_point": 128}, "zero point 127 but its contract says .* zero point 128"),
        ("output_tensor", {"zero_point": 1}, "model's output is .* zero point 0 but its contract says .* zero point 1"),
    ],
)
def test_a_contract_that_differs_from_the_real_tensors_is_refused(which, changes, message, toy_file):
    model = read_model(toy_file, "toy")
    tensor = dataclasses.replace(getattr(model.contract, which), **changes)
    contract = dataclasses.replace(model.contract, **{which: tensor})
    with pytest.raises(ModelError, match=message + ".*Convert the model again"):
        Classifier(dataclasses.replace(model, contract=contract))


def test_another_size_and_label_count_are_refused(toy_file):
    model = read_model(toy_file, "toy")
    spec = dataclasses.replace(model.contract.spec, labels=("red", "green", "blue", "grey"))
    output = TensorSpec((1, 4), "uint8", 1 / 256, 0)
    contract = dataclasses.replace(model.contract, spec=spec, output_tensor=output)
    with pytest.raises(ModelError, match=r"output is \(1, 3\) uint8 .* but its contract says \(1, 4\) uint8"):
        Classifier(dataclasses.replace(model, contract=contract))


def test_a_normalisation_by_channel_reaches_the_input(toy_bytes):
    stated = StatedInput(Normalization((1.0, 2.0, 3.0), (1.0, 2.0, 4.0)))
    stored = Classifier(read_model(toy_bytes("float32"), "toy", LABEL_TEXT, stated=stated)).input_tensor(image("red"))
    assert stored[0, 0].tolist() == [254.0, -1.0, -0.75]


@pytest.fixture
def classifier(toy_file):
    with Classifier(read_model(toy_file, "toy")) as opened:
        yield opened


def test_an_array_a_frame_and_an_image_file_get_the_same_answer(classifier, tmp_path):
    pixels = image("green")
    cv2.imwrite(str(tmp_path / "green.png"), pixels)
    answer = classifier.classify(pixels)
    assert answer.label == "green"
    assert classifier.classify(Frame(pixels, 0, 0.0)) == answer
    assert classifier.classify(tmp_path / "green.png") == answer
    assert classifier.classify(str(tmp_path / "green.png")) == answer


def test_an_rgb_array_is_taken_as_one(classifier):
    rgb = np.ascontiguousarray(image("red")[..., ::-1])
    assert classifier.classify(rgb).label == "blue"
    assert classifier.classify(rgb, channels="rgb") == classifier.classify(image("red"))
    assert classifier.classify(rgb[:, ::-1], channels="rgb").label == "red"


def test_many_are_classified_in_their_order(classifier, tmp_path):
    cv2.imwrite(str(tmp_path / "red.png"), image("red"))
    frames = [image("blue"), tmp_path / "red.png", Frame(image("green"), 0, 0.0)]
    assert [answer.label for answer in classifier.classify_many(frames)] == ["blue", "red", "green"]
    rgb = (image(name)[..., ::-1] for name in COLOURS)
    assert [answer.label for answer in classifier.classify_many(rgb, channels="rgb")] == list(COLOURS)
    assert classifier.classify_many([]) == []


def test_channels_are_those_of_arrays_only(classifier):
    with pytest.raises(UsageError, match="`channels` is 'gbr', expected 'bgr' or 'rgb'"):
        classifier.classify(image("red"), channels="gbr")
    for frame in ("photo.jpg", Frame(image("red"), 0, 0.0)):
        with pytest.raises(UsageError, match="`channels` is 'rgb', which is for arrays"):
            classifier.classify(frame, channels="rgb")


def test_what_is_no_array_is_told_how_to_become_one(classifier):
    with pytest.raises(DataError, match=r"The frame is a list, expected an array.*numpy\.asarray\(image\.convert"):
        classifier.classify([[[0, 0, 0]]])
    with pytest.raises(DataError, match="The frame is a list"):
        classifier.classify([[[0, 0, 0]]], channels="rgb")


def test_an_image_file_that_is_none_or_not_there_is_an_error(classifier, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no")
    with pytest.raises(DataError, match=r"bad\.jpg \(2 bytes\) is not"):
        classifier.classify(tmp_path / "bad.jpg")
    with pytest.raises(MissingInputError, match="check the path"):
        classifier.classify(tmp_path / "none.jpg")


def test_the_labels_are_those_of_the_model(classifier):
    assert classifier.labels == ("red", "green", "blue")


def test_a_closed_classifier_says_so(classifier, toy_bytes):
    copying = Classifier(read_model(toy_bytes("int8"), "toy", LABEL_TEXT))
    for closed in (classifier, copying):
        closed.close()
        closed.close()
        with pytest.raises(UsageError, match="The classifier is closed, expected an open one; make another"):
            closed.classify(image("red"))


def test_options_go_by_their_names_only(toy_file):
    with pytest.raises(TypeError, match="positional argument"):
        Classifier(read_model(toy_file, "toy"), 2)


def test_a_model_goes_by_the_name_of_a_shipped_one_or_by_none(lonely):
    assert Classifier("resnet8").model.path == list_shipped_models()["resnet8"]
    assert Classifier().model.path == default_model()


def test_a_region_is_cut_out_of_every_image(toy_model: ModelFile) -> None:
    frame = np.zeros((20, 40, 3), np.uint8)
    frame[:, :20, 2], frame[:, 20:, 1] = 200, 200
    assert Classifier(toy_model, region=Region(0.0, 0.0, 0.5, 1.0)).classify(frame).label == "red"
    right = Classifier(toy_model, region=Region(0.5, 0.0, 0.5, 1.0))
    assert right.classify(frame).label == "green"
    assert right.input_spec == cut_input(toy_model.contract.spec.input, right.region)


def test_a_contract_s_region_is_for_cameras_and_not_for_images(
    make_model: Callable[..., bytes], save: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`classify` sees the whole image, `run` the region, until another one is asked for."""
    region = Region(0.5, 0.0, 0.5, 1.0)
    path = save(make_model(change=lambda contract, goldens: (dataclasses.replace(contract, region=region), goldens)))
    assert open_model(path).contract.region == region
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:, :32, 2], frame[:, 32:, 1] = 230, np.random.default_rng(0).integers(150, 160, (48, 32))
    (tmp_path / "seen").mkdir()
    cv2.imwrite(str(tmp_path / "seen" / "1.png"), frame)
    labels = {}
    for name, command in {
        "classify": ["classify", str(tmp_path / "seen")],
        "classify region": ["classify", str(tmp_path / "seen"), "--region", "0.5,0,0.5,1"],
        "run": ["run", "--camera", str(tmp_path / "seen")],
        "run whole": ["run", "--camera", str(tmp_path / "seen"), "--region", "0,0,1,1"],
    }.items():
        assert cli.main([*command, "--model", path, "--format", "jsonl"]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        (labels[name],) = (line["label"] for line in lines if line["type"] == "prediction")
    assert labels == {"classify": "red", "classify region": "green", "run": "green", "run whole": "red"}
    assert cli.main(["info", "--model", path]) == 0
    assert "0.5,0,0.5,1 of the camera's frame" in capsys.readouterr().out


def test_bench_looks_at_the_region_alone(save: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--runs", "1", "--threads", "1", "--region", "0,0,0.5,0.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["type"] == "bench"
