"""The whole conversion on a small network trained in seconds: what the file holds, and what never gets out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from convert.__main__ import main
from convert.config import ConvertConfig
from convert.pipeline import convert
from convert.tflite.audit import audit
from edge_runtime.contract import Normalization
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.interpreter import list_available_backends
from edge_runtime.inference.postprocess import UNLIKE
from edge_runtime.inference.selftest import selftest
from edge_runtime.model.model_file import open_model
from edge_runtime.model.tflite_metadata import describe
from edge_runtime.reports.info import format_info

pytestmark = pytest.mark.tensorflow
ROOT = Path(__file__).parents[2]
LABELS = ("red rows", "green columns", "blue rows", "grey columns")


def test_a_run_becomes_one_verified_file_and_stdout_stays_a_result(
    make_run: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run, out = make_run(), tmp_path / "build" / "x.tflite"
    assert main([str(run), "--out", str(out), "--calibration-images", "40", "--json"]) == 0
    printed = capfd.readouterr().out
    result = json.loads(printed)
    assert printed.count("\n") == 1 and result["passed"] and result["out"] == str(out)
    model = open_model(out)
    report = audit(model.flatbuffer)
    assert report.full_integer and (report.parameters, report.macs) == (result["parameters"], result["macs"])
    kinds = [operator.kind for operator in report.operators]
    assert kinds[:2] == ["QUANTIZE", "CONV_2D"] and kinds[-2] == "SOFTMAX" and "MUL" not in kinds
    assert {operator.layer for operator in report.operators} >= {"conv2d", "dense", "depthwise_conv2d"}
    contract = model.contract
    assert (contract.input_tensor.scale, contract.input_tensor.zero_point) == (1 / 128, 127)
    assert contract.spec.labels == LABELS and contract.spec.output == "probabilities"
    assert {score.backend for score in contract.scores} == {"float32", *result["correct"]}
    described = describe(model.flatbuffer, "x")
    assert described.normalization == Normalization((127.0,), (128.0,)) and described.label_file == "labels.txt"
    listed = contract.provenance["calibration"]["images"]
    assert len(listed) == 40 and sum(item["label"] == 0 for item in listed) == 10
    rows = np.load(run / "images" / "calibration.npy")
    assert listed[0]["sha256"] == hashlib.sha256(rows[int(listed[0]["name"][-4:])].tobytes()).hexdigest()
    for backend in result["correct"]:
        with Classifier(out, backend=backend) as classifier:
            assert selftest(classifier).failures == ()
            frame = model.goldens.frames[0]
            assert classifier.input_tensor(frame).dtype == np.uint8
    sizes = {frame.shape[:2] for frame in model.goldens.frames}
    assert len(model.goldens.frames) == 16 and len(sizes) >= 14 and all(h % 2 and w % 2 for h, w in sizes)
    page = out.with_suffix(".report.html").read_text()
    assert "Passed" in page and "<script" not in page and "http" not in page
    assert result["file_bytes"] == out.stat().st_size and f"{out.stat().st_size:,} B" in page
    assert result["verdict"]["conversion"]["words"].startswith("Passed") and result["frame_ms"] > 0
    assert result["verdict"]["model"]["kind"] == "good" and str(out) in result["next_steps"][-1]
    assert "What to do next" in page and "The run directory lists no validation images" in page


def test_int8_io_works_and_a_file_that_is_there_is_not_written_over(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    """That a run gives the same bytes twice is shown in one process in converter/test_ranges.py, in two below."""
    run = make_run()
    one, other = tmp_path / "one.tflite", tmp_path / "other.tflite"
    one.write_bytes(b"mine")
    assert main([str(run), "--out", str(one)]) == 2 and one.read_bytes() == b"mine"
    assert main([str(run), "--out", str(other), "--io", "int8", "--name", "renamed"]) == 0
    contract = open_model(other).contract
    assert (contract.input_tensor.dtype, contract.input_tensor.zero_point, contract.spec.name) == (
        "int8",
        -1,
        "renamed",
    )
    frame = np.full((16, 16, 3), 200, np.uint8)
    with Classifier(other) as classifier:
        assert (classifier.input_tensor(frame) == 72).all()


@pytest.mark.slow
def test_two_copies_of_the_tree_convert_a_run_to_the_same_bytes_in_processes_of_their_own(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    run, made = make_run(), []
    for number, name in enumerate(("one", "a longer name")):
        for package in ("convert", "edge_runtime"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, tmp_path / name / package, ignore=ignored)
        shutil.copytree(run, tmp_path / name / "runs" / "stripes")
        command = [sys.executable, "-m", "convert", "runs/stripes", "--out", "build/x.tflite", "--field-test", "off"]
        environment = {**os.environ, "PYTHONHASHSEED": str(number), "PYTHONPATH": ""}
        subprocess.run(command, cwd=tmp_path / name, env=environment, check=True, capture_output=True)
        made.append((tmp_path / name / "build" / "x.tflite").read_bytes())
    assert made[0] == made[1]


def test_a_handful_of_test_images_is_enough_for_golden_frames(make_run: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "x.tflite"
    assert main([str(make_run(num_test=1)), "--out", str(out), "--calibration-images", "4"]) == 0
    frames = open_model(out).goldens.frames
    assert len(frames) == 16 and len({frame.shape for frame in frames}) >= 14


def broken(network: Any, change: Callable[[Any], None]) -> Any:
    import keras

    model = keras.models.clone_model(network)
    model.set_weights(network.get_weights())
    change(model)
    return model


def test_a_model_that_knows_one_class_only_is_refused_but_reported(
    make_run: Callable[..., Path], network: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def one_class(model: Any) -> None:
        kernel, bias = model.layers[-1].get_weights()
        model.layers[-1].set_weights([kernel * 0, bias * 0 + [5, 0, 0, 0]])

    out = tmp_path / "x.tflite"
    assert main([str(make_run(broken(network, one_class))), "--out", str(out), "--max-drop", "100"]) == 1
    assert "answers class 0 for all 160 images" in capfd.readouterr().err
    assert not out.exists() and "Refused" in out.with_suffix(".report.html").read_text()


def test_a_model_with_weights_that_are_no_numbers_never_passes(
    make_run: Callable[..., Path], network: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def not_a_number(model: Any) -> None:
        model.layers[-1].set_weights([value * np.nan for value in model.layers[-1].get_weights()])

    out = tmp_path / "x.tflite"
    assert main([str(make_run(broken(network, not_a_number))), "--out", str(out), "--max-drop", "100"]) == 65
    assert "weights that are not numbers" in capfd.readouterr().err and not out.exists()


def test_a_calibration_image_from_the_test_split_stops_the_conversion(
    make_run: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run()
    lists = json.loads((run / "images.json").read_text())
    lists["calibration"] = [{**item, "name": f"copy of {item['name']}"} for item in lists["test"][:20]]
    (run / "images.json").write_text(json.dumps(lists))
    assert main([str(run), "--out", str(tmp_path / "x.tflite")]) == 65
    assert "calibration images are in the test split" in capfd.readouterr().err


@pytest.fixture
def images(tmp_path: Path) -> Callable[[str, int], Path]:
    def write(name: str, seed: int) -> Path:
        random = np.random.default_rng(seed)
        for index in range(80):
            label = index % 4
            stripes = (
                (np.arange(16) // 2 % 2 * 110)[:, None] if label in (0, 2) else (np.arange(16) // 2 % 2 * 110)[None, :]
            )
            image = random.integers(0, 90, (16, 16, 3))
            for channel in (0, 1, 2) if label == 3 else (label,):
                image[:, :, channel] += stripes
            folder = tmp_path / name / LABELS[label]
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{index:03}.png"), image.astype(np.uint8)[:, :, ::-1])
        return tmp_path / name

    return write


def test_a_keras_file_of_others_converts_with_labels_and_folders(
    network: Any, images: Callable[[str, int], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model, labels, out = tmp_path / "other.keras", tmp_path / "labels.txt", tmp_path / "x.tflite"
    network.save(model)
    labels.write_text("\n".join(LABELS))
    flags = [str(model), "--labels", str(labels), "--calibration", str(images("train", 5)), "--out", str(out)]
    assert main([*flags, "--test", str(images("test", 6)), "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["num_images"] == 80 and min(result["correct"].values()) >= 60
    contract = open_model(out).contract
    assert contract.spec.name == "other" and contract.scores
    assert main([*flags, "--json", "--force"]) == 0
    assert open_model(out).contract.scores == (), "calibration images are no test split"
    report = json.loads(out.with_suffix(".report.json").read_text())["verification"]
    assert (report["tested"], report["num_images"], report["float_report"]) == (False, 80, None)
    labels.write_text("\n".join(reversed(LABELS)))
    capfd.readouterr()
    assert main([*flags, "--force", "--test", str(images("test", 6)), "--field-test", "off", "--json"]) == 0
    swapped = json.loads(capfd.readouterr().out)
    assert swapped["verdict"]["warnings"][0].startswith("The labels fit far better in another order")
    assert swapped["next_steps"][0].endswith("and convert again: red rows, green columns, blue rows, grey columns.")
    labels.write_text("a\nb\n")
    assert main([*flags, "--force"]) == 65
    assert "has 4 outputs but" in capfd.readouterr().err


def test_a_keras_file_with_a_lambda_layer_is_refused(
    images: Callable[[str, int], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import keras

    image = keras.Input((16, 16, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Lambda(lambda x: x * 2)(image))
    keras.Model(image, keras.layers.Dense(4)(features)).save(tmp_path / "m.keras")
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    flags = ["--labels", str(tmp_path / "labels.txt"), "--calibration", str(images("train", 5))]
    assert main([str(tmp_path / "m.keras"), *flags, "--out", str(tmp_path / "x.tflite")]) == 65
    assert "holds Lambda (lambda), which is code" in capfd.readouterr().err


def test_wrong_flags_and_paths_are_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none")]) == 66
    assert "There is no run directory" in capfd.readouterr().err
    assert main([str(tmp_path), "--labels", "l.txt"]) == 2
    assert "needs both --labels FILE and --calibration DIR" in capfd.readouterr().err
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07\x12\x07pytorch")
    assert main([str(tmp_path / "m.onnx")]) == 65
    assert "is an ONNX model" in capfd.readouterr().err
    assert main([str(tmp_path), "--mean", "3"]) == 2
    assert "describe a .keras file" in capfd.readouterr().err


def test_unknown_has_two_reasons_in_the_file_and_in_the_report(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run(num_validation=60)
    result = convert(ConvertConfig(run, tmp_path / "x.tflite", num_calibration_images=40))
    assert result.path is not None and result.report.unknown is not None
    model = open_model(result.path)
    assert model.contract.neighbours is not None and model.neighbours is not None
    assert model.neighbours.shape == (12, model.contract.neighbours.width), "three centres for each of four classes"
    assert "to the nearest of 12 centres of the calibration images" in format_info(model)
    assert result.report.unknown.cut == model.contract.neighbours.cut
    foreign = {item.name: item.acceptance for item in result.report.unknown.foreign}
    assert foreign["enlarged small photos (CIFAR-10)"].coverage < 0.05
    assert "unknown: unlike" in result.report_html.read_text()
    for backend in list_available_backends():
        classifier = Classifier(model, backend=backend)
        assert selftest(classifier).passed
        assert classifier.classify(np.full((20, 20, 3), (200, 60, 250), np.uint8)).reason == UNLIKE
