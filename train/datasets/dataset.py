"""How the rest of training sees every data set: three splits of images that are read batch by batch.

A split returns preprocessed uint8 images by index; files are decoded on demand, never all held in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import InputSpec, Region
from edge_runtime.pixels.image_file import read_image
from edge_runtime.pixels.preprocess import Image, preprocess
from train.datasets.background import Background
from train.datasets.data_checks import DataChecks


@dataclass(frozen=True)
class ImageRecord:
    """One image's identity: a readable unique name, class index, its file (None for arrays), its SHA-256."""

    name: str
    label: int
    file: Path | None
    sha256: str


class Split(Protocol):
    """Images with labels, read by index from 0. Unreadable images raise DataError or MissingInputError."""

    @property
    def input(self) -> InputSpec:
        """The size of the images from `read`, and how they are resized to it."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,) int64 class indices, one for each image."""

    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """(len(indices), h, w, 3) uint8 RGB pixels in the input's size, preprocessed as on the device."""

    def frame(self, index: int) -> Image:
        """One image in its own size, (h, w, 3) uint8 BGR."""

    def record(self, index: int) -> ImageRecord:
        """Which image this is."""


@dataclass(frozen=True)
class ArraySplit:
    """Images that fit in memory: ``images`` (n, h, w, 3) uint8 RGB, ``names`` one for each image."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    input: InputSpec

    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """(len(indices), h, w, 3) uint8 RGB pixels in the input's size, preprocessed as on the device."""
        picked = self.images[np.asarray(indices, np.int64)]
        if picked.shape[1:3] == (self.input.height, self.input.width):
            return picked
        return np.stack([preprocess(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), self.input) for image in picked])

    def frame(self, index: int) -> Image:
        """One image in its own size, (h, w, 3) uint8 BGR."""
        return cast(Image, cv2.cvtColor(self.images[index], cv2.COLOR_RGB2BGR))

    def record(self, index: int) -> ImageRecord:
        """Which image this is; the SHA-256 is of its RGB pixels."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images[index]).tobytes()).hexdigest()
        return ImageRecord(self.names[index], int(self.labels[index]), None, digest)

    def pick(self, indices: NDArray[np.int64]) -> ArraySplit:
        """The split with only the images at ``indices``, in that order."""
        return ArraySplit(self.images[indices], self.labels[indices], tuple(self.names[i] for i in indices), self.input)


@dataclass(frozen=True)
class FileSplit:
    """Images in files, decoded whenever they are read; ``sha256`` of each file's bytes."""

    files: tuple[Path, ...]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    sha256: tuple[str, ...]
    input: InputSpec

    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """(len(indices), h, w, 3) uint8 RGB pixels in the input's size, preprocessed as on the device.

        Raises:
            MissingInputError, DataError: a file has been removed or damaged since the folder was read.
        """
        images: list[Image] = [preprocess(read_image(self.files[i]), self.input) for i in indices]
        return np.stack(images)

    def frame(self, index: int) -> Image:
        """One image in its own size, (h, w, 3) uint8 BGR. Raises as `read`."""
        return read_image(self.files[index])

    def record(self, index: int) -> ImageRecord:
        """Which image this is; the SHA-256 is of its file's bytes."""
        return ImageRecord(self.names[index], int(self.labels[index]), self.files[index], self.sha256[index])


@dataclass(frozen=True)
class Dataset:
    """A named data set: class labels in output order and three splits without an image in common. ``region`` is the
    part of the camera's frame that all images were cropped from, if they record it, else None. ``groups`` has for each
    training image the index of the first one that it is a near-duplicate of (its own if none), empty if not checked.
    """

    name: str
    labels: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    citation: str = ""
    checks: DataChecks | None = None
    background: Background | None = None
    region: Region | None = None
    groups: tuple[int, ...] = ()


def make_balanced_order(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """All indices of (n,) int64 labels, shuffled within each class and dealt out class by class: any prefix is close to
    balanced.
    """
    piles = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    rounds = [pile[turn] for turn in range(max(len(pile) for pile in piles)) for pile in piles if turn < len(pile)]
    return np.asarray(rounds, np.int64)


def split_validation(labels: NDArray[np.int64], num: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(training, validation) indices, each ascending: ``num`` class-balanced ones for validation, fixed by the seed."""
    order = make_balanced_order(labels, np.random.default_rng([seed, 1]))
    return np.sort(order[num:]), np.sort(order[:num])
