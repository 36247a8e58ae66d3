"""The stored threshold is fitted on validation images by the integer file, and every client of the file obeys it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.__main__ import main
from edge_runtime.inference.classifier import Classifier
from edge_runtime.model.model_file import open_model

LABELS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


def with_validation(run: Path, images: np.ndarray, labels: list[int]) -> Path:
    """The run directory with these (n, 16, 16, 3) uint8 RGB images as its validation split."""
    np.save(run / "images" / "validation.npy", images)
    lists = json.loads((run / "images.json").read_text())
    lists["validation"] = [
        {
            "name": f"validation/{row:04}",
            "label": label,
            "file": "images/validation.npy",
            "row": row,
            "sha256": hashlib.sha256(image.tobytes()).hexdigest(),
        }
        for row, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    (run / "images.json").write_text(json.dumps(lists))
    return run


@pytest.fixture
def run(make_run: Callable[..., Path]) -> Path:
    """A run whose validation images are noise with labels that the model cannot know, but for its own test images."""
    path = make_run()
    known = np.load(path / "images" / "test.npy")[:80]
    labels = [row["label"] for row in json.loads((path / "images.json").read_text())["test"][:80]]
    noise = np.random.default_rng(5).integers(0, 256, (60, 16, 16, 3), np.uint8)
    return with_validation(path, np.concatenate([known, noise]), labels + [row % 4 for row in range(60)])


def test_the_file_carries_the_fitted_threshold_and_classify_obeys_it(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, others = tmp_path / "x.tflite", tmp_path / "others"
    others.mkdir()
    cv2.imwrite(str(others / "a.png"), np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8))
    assert main([str(run), "--out", str(out), "--precision", "90", "--out-of-distribution", str(others), "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    model = open_model(out)
    assert model.contract.threshold == result["threshold"] >= 0.5
    written = json.loads(out.with_suffix(".report.json").read_text())["unknown"]
    assert written["fit"]["validation"]["num_images"] == 140
    assert written["fit"]["wanted"] == 0.9
    assert written["test"]["num_images"] == 160
    assert written["out_of_distribution"]["num_images"] == 1
    assert "enlarged small photos (CIFAR-10)" in [item["name"] for item in written["foreign"]]
    frame = np.random.default_rng(7).integers(0, 256, (16, 16, 3), np.uint8)
    with Classifier(model) as classifier, Classifier(model, threshold=1.0) as strict:
        best = float(classifier.probabilities(frame).max())
        assert classifier.classify(frame).unknown == (best < model.contract.threshold)
        assert strict.classify(frame).unknown


def test_photos_of_what_the_classes_are_in_another_language_are_not_foreign(run: Path, tmp_path: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps({**metrics, "own_small_photos": list(LABELS)}))
    out = tmp_path / "x.tflite"
    assert main([str(run), "--out", str(out), "--field-test", "off"]) == 0
    written = json.loads(out.with_suffix(".report.json").read_text())["unknown"]
    assert [item["name"] for item in written["foreign"]] == ["empty scenes", "scrambled images of the classes"]


def test_a_given_threshold_is_kept_and_an_old_run_has_none(
    run: Path, make_run: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run), "--out", str(tmp_path / "a.tflite"), "--threshold", "0.25"]) == 0
    assert open_model(tmp_path / "a.tflite").contract.threshold == 0.25
    assert main([str(make_run(name="old")), "--out", str(tmp_path / "b.tflite")]) == 0
    assert open_model(tmp_path / "b.tflite").contract.threshold == 0.0
    assert "Every answer is accepted" in capfd.readouterr().out


def test_few_or_hopeless_validation_images_are_warned_about(
    make_run: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (30, 16, 16, 3), np.uint8)
    path = with_validation(make_run(), noise, [row % 4 for row in range(30)])
    assert main([str(path), "--out", str(tmp_path / "a.tflite")]) == 0
    said = capfd.readouterr().err
    assert "was fitted on only 30 validation images; expected at least 100" in said
    assert "no threshold gives a precision of 95% on the validation images" in said


def test_wrong_flags_are_named(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([str(run), "--precision", "100"]) == 2
    assert "The wanted precision is 100 %, expected above 0 and below 100" in capfd.readouterr().err
    (tmp_path / "none").mkdir()
    flags = [str(run), "--out", str(tmp_path / "x.tflite"), "--out-of-distribution", str(tmp_path / "none")]
    assert main(flags) == 66
    assert "There is no image in" in capfd.readouterr().err
    lists = json.loads((run / "images.json").read_text())
    (run / "images.json").write_text(json.dumps({**lists, "more": []}))
    assert main([str(run), "--out", str(tmp_path / "x.tflite")]) == 65
    assert "does not hold the lists 'calibration' and 'test' (and perhaps 'validation')" in capfd.readouterr().err
