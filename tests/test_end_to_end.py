"""From a folder of pictures to a label, through the three command lines, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]
COLOURS = {"blue": (200, 60, 60), "green": (60, 200, 60), "red": (60, 60, 200)}


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    import os

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", *words], cwd=cwd, capture_output=True, text=True, env=environment)


def write_pictures(folder: Path) -> None:
    random = np.random.default_rng(3)
    for label, colour in COLOURS.items():
        (folder / label).mkdir(parents=True)
        for number in range(220):
            noise = random.integers(-50, 50, (40, 52, 3))
            picture = (np.array(colour) + noise).clip(0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / label / f"{number:03d}.png"), picture)


def test_a_folder_of_pictures_becomes_a_model_that_names_a_new_picture(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures")
    flags = ["--model", "seed_cnn", "--size", "32", "--epochs", "3"]
    trained = run("train", "--data", "pictures", *flags, "--out", "runs/colours", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    converted = run("convert", "runs/colours", "--out", "build/colours.tflite", "--json", cwd=tmp_path)
    assert converted.returncode == 0, converted.stderr
    assert json.loads(converted.stdout)
    assert "oneDNN" not in trained.stderr + converted.stderr, "TensorFlow's chatter is not for people"
    # As noisy as the images that were learnt: one plain colour would be unlike anything seen in training.
    noise = np.random.default_rng(4).integers(-50, 50, (40, 52, 3))
    cv2.imwrite(str(tmp_path / "new.png"), (np.array(COLOURS["green"]) + noise).clip(0, 255).astype(np.uint8))
    said = run(
        "edge_runtime", "classify", "new.png", "--model", "build/colours.tflite", "--format", "jsonl", cwd=tmp_path
    )
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["label"] == "green"
    again = run("convert", "runs/colours", "--out", "build/again.tflite", "--name", "pictures-seed_cnn", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "build/again.tflite").read_bytes() == (tmp_path / "build/colours.tflite").read_bytes()
    refused = run("convert", "runs/colours", "--out", "build/colours.tflite", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
