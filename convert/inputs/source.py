"""One trained model with the images to calibrate and test it, wherever it came from; and how one of its images
is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.inputs.answers import run_model, to_probabilities
from convert.inputs.keras_model import KerasFile
from edge_runtime.contract import ModelSpec, Region
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.pixels.image_file import decode_image, read_image_bytes
from edge_runtime.pixels.preprocess import Image, preprocess

# Enough to notice what a rewrite of the model loses; takes a second.
NUM_REFERENCES = 16


@dataclass(frozen=True)
class ImageEntry:
    """One named image: an image file, or ``row`` of an `.npy` array; ``label`` is the class index, -1 when unknown.

    ``sha256`` is that of the image file's bytes, or of the array row's bytes.
    """

    name: str
    label: int
    path: Path
    row: int | None
    sha256: str

    def read(self) -> Image:
        """The image, (h, w, 3) uint8 BGR.

        Raises:
            MissingInputError: its file is gone.
            DataError: it is not an image, or not the one that the list was made from.
        """
        if self.row is not None:
            rgb = self._array_row()
            self._expect_hash(rgb.tobytes())
            return np.ascontiguousarray(rgb[:, :, ::-1])
        content = read_image_bytes(self.path)
        self._expect_hash(content)
        return decode_image(content, str(self.path))

    def _array_row(self) -> Image:
        array = _open_array(self.path)
        if (
            array.ndim != 4
            or array.shape[3] != 3
            or array.dtype != np.uint8
            or not 0 <= int(self.row or 0) < len(array)
        ):
            raise DataError(
                f"{self.path} holds {array.shape} {array.dtype}, expected (n, h, w, 3) uint8 with a row {self.row} "
                f"for {self.name}."
            )
        return np.asarray(array[self.row])

    def _expect_hash(self, content: bytes) -> None:
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise DataError(
                f"The image {self.name} in {self.path} has SHA-256 {found}, its list says {self.sha256}: it "
                "changed after training. Train again, or put the image back."
            )


def escape_name(name: str) -> str:
    """A file's name as text that any page and file can hold: bytes that are not UTF-8 become \\udc80 to \\udcff."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def hash_entries(entries: Sequence[ImageEntry]) -> str:
    """The SHA-256 in hex of a list of images, by their names and contents."""
    return hashlib.sha256("".join(f"{entry.name}\0{entry.sha256}\n" for entry in entries).encode()).hexdigest()


def make_entry(path: Path, root: Path, label: int) -> ImageEntry:
    """The entry of the image file ``path``, named by its path below ``root``; ``label`` -1 means no class.

    Raises:
        DataError: the file cannot be read.
    """
    return ImageEntry(
        escape_name(path.relative_to(root).as_posix()),
        label,
        path,
        None,
        hashlib.sha256(read_image_bytes(path)).hexdigest(),
    )


@dataclass(frozen=True, eq=False)
class Reference:
    """``images`` (n, H, W, 3) uint8 RGB, and the ``probabilities`` (n, classes) float32 that the model gives them as
    loaded from its file, which every rewrite of it must reproduce.
    """

    images: NDArray[np.uint8]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Source:
    """``model`` is its `.keras` file, loaded once; ``input_mean`` and ``input_std`` normalise pixels *before* they
    reach it. Thresholds are fitted on ``validation``, empty when the run kept none; ``background`` shows the empty
    scene, empty likewise; ``region`` is the part of the camera's frame that all images were cut from, None when they
    do not say or do not agree.
    """

    model: KerasFile
    spec: ModelSpec
    calibration: tuple[ImageEntry, ...]
    test: tuple[ImageEntry, ...]
    training: dict[str, Any]
    input_mean: float = 0.0
    input_std: float = 1.0
    validation: tuple[ImageEntry, ...] = ()
    background: tuple[ImageEntry, ...] = ()
    region: Region | None = None

    @cached_property
    def reference(self) -> Reference:
        """What the model as loaded answers on a few calibration images (noise where there are none), asked once.

        Raises: as `ImageEntry.read`.
        """
        size = self.spec.input
        step = max(1, len(self.calibration) // NUM_REFERENCES)
        entries = self.calibration[::step][:NUM_REFERENCES]
        if entries:
            images = np.stack([preprocess(entry.read(), size) for entry in entries])
        else:
            images = np.random.default_rng(0).integers(0, 256, (2, size.height, size.width, 3), np.uint8)
        values = run_model(self.model.network, normalize(images, self.input_mean, self.input_std))
        return Reference(images, to_probabilities(values, self.spec.output))


def normalize(images: NDArray[np.uint8], mean: float, std: float) -> NDArray[np.float32]:
    """``(pixel - mean) / std`` of uint8 pixels 0..255, in float32."""
    return ((images.astype(np.float64) - mean) / std).astype(np.float32)


@lru_cache(maxsize=8)
def _open_array(path: Path) -> Any:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise MissingInputError(
            f"There is no image array {path}; the run directory is incomplete, train again."
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"The image array {path} cannot be read ({error}); expected an .npy file. Train again."
        ) from error
