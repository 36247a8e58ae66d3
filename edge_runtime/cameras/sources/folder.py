"""A folder of images as a camera: every file once, in sorted order, so that a run can be repeated exactly."""

from __future__ import annotations

import logging
from pathlib import Path

from edge_runtime.cameras.sources.playback import Recording
from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.pixels.image_file import IMAGE_SUFFIXES, list_images, read_image_bytes
from edge_runtime.pixels.preprocess import Image
from edge_runtime.pixels.shrink import decode_undamaged

log = logging.getLogger(__name__)
# In real time, if no other rate is given.
USUAL_FPS = 1.0


class FolderCamera(Recording):
    """The images in ``folder`` and its sub-folders; damaged files are logged, counted and skipped.

    ``fps`` is how many of them per second were taken or are to be shown; None if not given.
    """

    def __init__(self, folder: str | Path, shrink_for: InputSpec | None = None, fps: float | None = None) -> None:
        root = Path(folder)
        self._root, self._fps = root, fps
        self._paths = list_images(root)
        if not self._paths:
            raise MissingInputError(
                f"The folder {root} holds no image; expected files ending in {' '.join(IMAGE_SUFFIXES)}."
            )
        self.name = f"{len(self._paths)} images in {root}"
        self.interval_s = 1.0 / (fps or USUAL_FPS)
        self._shrink_for = shrink_for
        self._log_level = logging.WARNING
        self._index = -1

    def rewind(self) -> None:
        self._index, self._log_level = -1, logging.DEBUG  # each damaged file has been reported once

    def step(self) -> bool:
        if self._index + 1 >= len(self._paths):
            return False
        self._index += 1
        self.file = str(self._paths[self._index].relative_to(self._root))
        self.position_s = None if self._fps is None else self._index * self.interval_s
        return True

    def decode(self) -> Image | None:
        path = self._paths[self._index]
        try:
            return decode_undamaged(read_image_bytes(path), str(path), self._shrink_for)
        except (DataError, MissingInputError) as error:
            log.log(self._log_level, "%s", error)
            return None
