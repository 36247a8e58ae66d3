"""The complete CIFAR-10 from wherever it is available; whatever the source, the original batches' checksums decide.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import DataError

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CITATION = 'A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009'
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
# MD5 of the original binary batch files (label byte, then the red, green and blue planes, image by image).
BATCH_MD5 = {
    "data_batch_1": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
BATCH_SIZE = 10_000


@dataclass(frozen=True)
class Cifar10:
    """60,000 images in the original order: ``images`` (60000, 32, 32, 3) uint8 RGB, ``labels`` (60000,) uint8.

    The first 50,000 are the five training batches, the last 10,000 the test batch.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def verify(images: NDArray[np.uint8], labels: NDArray[np.uint8], source: str) -> Cifar10:
    """The images when all six original checksums match.

    Raises:
        DataError: the shapes are wrong or a batch differs from the original.
    """
    if images.shape != (60_000, 32, 32, 3) or labels.shape != (60_000,) or images.dtype != np.uint8:
        raise DataError(
            f"{source} holds {images.shape} {images.dtype} images and {labels.shape} labels, expected "
            "(60000, 32, 32, 3) uint8 and (60000,): it is not the complete CIFAR-10; get it again."
        )
    for number, name in enumerate(BATCHES):
        part = slice(number * BATCH_SIZE, (number + 1) * BATCH_SIZE)
        found = hash_batch(images[part], labels[part])
        if found != BATCH_MD5[name]:
            raise DataError(f"{name} in {source} has MD5 {found}, expected {BATCH_MD5[name]}: damaged; get it again.")
    return Cifar10(images, labels)


def hash_batch(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> str:
    """MD5 in hex of the original binary layout of (n, 32, 32, 3) uint8 RGB images and (n,) labels."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    rows = np.concatenate([labels[:, None].astype(np.uint8), planes], axis=1)
    return hashlib.md5(rows.tobytes(), usedforsecurity=False).hexdigest()


def list_image_names() -> list[str]:
    """The name of each of the 60,000 images: the original batch and the row in it."""
    return [f"{name}/{row:05d}" for name in BATCHES for row in range(BATCH_SIZE)]


def read_npz(path: Path) -> Cifar10:
    """CIFAR-10 from one .npz with x_train, y_train, x_test and y_test, verified. Raises DataError."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            images = np.concatenate([arrays["x_train"], arrays["x_test"]])
            labels = np.concatenate([arrays["y_train"].ravel(), arrays["y_test"].ravel()])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read as CIFAR-10 ({error}); expected an .npz with x_train, y_train, x_test and y_test."
        ) from error
    return verify(images, labels.astype(np.uint8), str(path))
