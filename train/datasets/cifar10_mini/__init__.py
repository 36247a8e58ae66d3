"""``cifar10-mini``: the embedded default data set, a class-balanced part of CIFAR-10 that is the same for everybody.

Selection: in the original order, the first 1,000 images of each class of the five training batches and the first 200
of each class of the test batch. Stored without loss, one WebP sheet of images per class and split, 40 images a row;
``selection.json`` has each image's original row and each sheet's checksum. ``make.py`` made it;
it never changes.
A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError
from edge_runtime.pixels.image_file import read_image
from edge_runtime.pixels.preprocess import Image
from train.datasets.cifar10 import BATCH_SIZE, BATCHES, CITATION, LABELS
from train.datasets.dataset import ArraySplit

FOLDER = Path(__file__).parent
PER_CLASS = {"train": 1_000, "test": 200}
PER_ROW = 40
SIZE = 32


def read_mini(input_spec: InputSpec, folder: Path = FOLDER) -> tuple[ArraySplit, ArraySplit]:
    """(training images (10000, 32, 32, 3), test images (2000, 32, 32, 3)), uint8 RGB, class by class.

    Raises:
        DataError: a sheet differs from the one that was committed.
    """
    selection = json.loads((folder / "selection.json").read_text(encoding="utf-8"))
    splits = []
    for split, num in PER_CLASS.items():
        sheets, names = [], []
        for label in LABELS:
            path, facts = folder / f"{split}_{label}.webp", selection[split][label]
            images = read_sheet(cast(Image, cv2.cvtColor(read_image(path), cv2.COLOR_BGR2RGB)))
            found = hashlib.sha256(images.tobytes()).hexdigest()
            if found != facts["sha256"]:
                raise DataError(
                    f"The pixels of {path} have SHA-256 {found}, expected {facts['sha256']}: check it out again."
                )
            sheets.append(images)
            names += [f"{BATCHES[row // BATCH_SIZE]}/{row % BATCH_SIZE:05d}" for row in facts["rows"]]
        labels = np.repeat(np.arange(len(LABELS), dtype=np.int64), num)
        splits.append(ArraySplit(np.concatenate(sheets), labels, tuple(names), input_spec))
    return splits[0], splits[1]


def to_sheet(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, 32, 32, 3) uint8 images, n a multiple of 40, as one (n / 40 * 32, 1280, 3) sheet, row by row."""
    rows = images.reshape(-1, PER_ROW, SIZE, SIZE, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(rows.reshape(-1, PER_ROW * SIZE, 3))


def read_sheet(sheet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The (n, 32, 32, 3) uint8 images of a sheet that `to_sheet` made."""
    rows = sheet.reshape(-1, SIZE, PER_ROW, SIZE, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(rows.reshape(-1, SIZE, SIZE, 3))


__all__ = ["CITATION", "FOLDER", "LABELS", "PER_CLASS", "read_mini", "read_sheet", "to_sheet"]
