"""A folder of images as a camera: every file once, in sorted order, so that a run can be repeated exactly."""

from __future__ import annotations

import logging
from pathlib import Path

from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.pixels.image_file import IMAGE_SUFFIXES, list_images, read_image_bytes
from edge_runtime.pixels.shrink import decode_undamaged
from edge_runtime.system.clock import monotonic_s

log = logging.getLogger(__name__)


class FolderCamera(FrameSource):
    """The images below ``folder``, sub-folders too; damaged files are logged, counted and skipped."""

    def __init__(self, folder: str | Path, shrink_for: InputSpec | None = None) -> None:
        root = Path(folder)
        self._root = root
        self._paths = list_images(root)
        if not self._paths:
            raise MissingInputError(
                f"The folder {root} holds no image; expected files ending in {' '.join(IMAGE_SUFFIXES)}."
            )
        self.name = f"{len(self._paths)} images in {root}"
        self._shrink_for = shrink_for
        self._unread = iter(self._paths)

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        for path in self._unread:
            captured_s = monotonic_s()
            try:
                pixels = decode_undamaged(read_image_bytes(path), str(path), self._shrink_for)
            except (DataError, MissingInputError) as error:
                self.num_bad += 1
                log.warning("%s", error)
                continue
            self.num_captured += 1
            return Frame(pixels, self.num_captured - 1, captured_s, str(path.relative_to(self._root)))
        self.ended = True
        return None
