"""How many golden frames a file carries: fewer of a network that takes reference kernels seconds a frame."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

from convert.converter.golden_frames import choose_goldens, count_frames
from convert.inputs.source import ImageEntry
from edge_runtime.inference.classifier import Classifier

TOY = Path(__file__).parents[2] / "edge_runtime" / "toys" / "uint8_metadata.tflite"
COLOURS = ((30, 30, 200), (30, 200, 30), (200, 30, 30))


def test_a_large_network_carries_fewer_frames() -> None:
    assert count_frames(12_500_000) == count_frames(200_000_000) == 16
    assert count_frames(384_000_000) == 6


def test_a_few_frames_are_chosen_and_the_last_two_are_of_repeated_pixels(tmp_path: Path) -> None:
    entries = []
    for number in range(9):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((20, 30, 3), COLOURS[number % 3], np.uint8))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        entries.append(ImageEntry(path.name, number % 3, path, None, digest))
    with Classifier(TOY) as classifier:
        scores = np.stack([classifier.probabilities(entry.read()) for entry in entries])
        backend = classifier.interpreter.backend
        goldens = choose_goldens({backend: classifier}, entries, {backend: scores}, num_frames=6)
    assert len(goldens.images) == 6
    assert (goldens.repeats[:4] == 1).all() and (goldens.repeats[4:] > 1).all()
