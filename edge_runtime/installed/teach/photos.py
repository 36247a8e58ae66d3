"""The photos that a device is taught with: a folder with one folder per class, as in training. Never changes any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_runtime.contract import Region
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.pixels.image_file import is_visible, list_images, read_image_bytes
from edge_runtime.pixels.jpeg_region import read_region

# Fewer photos say too little about a class; for more classes, training on a workstation is worth the time.
LEAST_PHOTOS = 5
MOST_CLASSES = 50
# The size of the equations grows with the square of this, and the table of neighbours in proportion.
MOST_PHOTOS = 400


def find_photos(folder: Path) -> dict[str, tuple[Path, ...]]:
    """The image files in each class folder of ``folder``, by its name, both sorted. If there are more than
    `MOST_PHOTOS` in all, equally many are drawn evenly from each class.

    Raises:
        MissingInputError: there is no such folder.
        DataError: there are fewer than two classes or more than `MOST_CLASSES`, or one has too few photos.
    """
    if not folder.is_dir():
        raise MissingInputError(f"There is no folder {folder}; expected one with a folder of photos for each class.")
    found = {
        path.name: tuple(list_images(path))
        for path in sorted(folder.iterdir())
        if path.is_dir() and is_visible(path.name)
    }
    if not 2 <= len(found) <= MOST_CLASSES:
        raise DataError(
            f"{folder} has {len(found)} class folders, expected 2 to {MOST_CLASSES}: one for each thing to be told "
            'apart, and one for none of them, such as "nothing".'
        )
    for label, photos in found.items():
        if len(photos) < LEAST_PHOTOS:
            raise DataError(
                f"{folder / label} has {len(photos)} photos, expected at least {LEAST_PHOTOS}: take more, from "
                "several sides."
            )
    return _draw(found, MOST_PHOTOS // len(found))


def find_region(photos: Mapping[str, Sequence[Path]]) -> Region | None:
    """The region of the camera's frame that all photos are marked as cut from; None if they differ.

    Raises:
        DataError: a photo cannot be read.
    """
    found = {read_region(read_image_bytes(path)) for paths in photos.values() for path in paths}
    return found.pop() if len(found) == 1 else None


def _draw(photos: dict[str, tuple[Path, ...]], most: int) -> dict[str, tuple[Path, ...]]:
    return {label: paths[:: -(-len(paths) // most)] for label, paths in photos.items()}
