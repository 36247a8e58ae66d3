"""Small encoded images in one file on disk: photos are decoded once, yet memory stays flat however many there are."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import InternalError
from edge_runtime.pixels.preprocess import Image
from edge_runtime.system.shared_file import read_at, write_at

_ENCODINGS = {"lossless": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 1]), "small": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95])}


class ImageStore:
    """Images by number in the order they were added; ``encoding`` is "lossless" or "small" (JPEG, quality 95).

    The file has no name where the system allows that, so nothing is left over however the process ends. What the disk
    has no room for is kept in memory.
    """

    def __init__(self, folder: Path, encoding: str) -> None:
        self._suffix, self._parameters = _ENCODINGS[encoding]
        # `close` closes it.
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder, prefix=".images.", buffering=0)  # noqa: SIM115
        except OSError:
            self._file = tempfile.TemporaryFile(prefix=".images.", buffering=0)  # noqa: SIM115
        self._memory: dict[int, bytes] = {}
        self._ends = [0]
        self.aspects: list[float] = []

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, image: Image, aspect: float = 1.0) -> None:
        """Appends one (h, w, 3) uint8 RGB image; ``aspect`` is width to height of the photo that it was made from."""
        self.aspects.append(aspect)
        content = cv2.imencode(self._suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), self._parameters)[1].tobytes()
        try:
            write_at(self._file.fileno(), content, self._ends[-1])
        except OSError:
            self._memory[len(self)] = content
        self._ends.append(self._ends[-1] + len(content))

    def read(self, index: int) -> Image:
        """Image ``index``, (h, w, 3) uint8 RGB."""
        start, end = self._ends[index], self._ends[index + 1]
        content = self._memory.get(index) or read_at(self._file.fileno(), end - start, start)
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise InternalError(f"Image {index} of the store cannot be decoded; its file was changed from outside.")
        return cast(Image, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))

    def batch(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Images of one size, (n, h, w, 3) uint8 RGB."""
        return np.stack([self.read(int(index)) for index in indices])

    def close(self) -> None:
        """Deletes the file, and with it all images."""
        self._file.close()

    def __enter__(self) -> ImageStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
