"""The photos that a device is taught with: a folder of class folders, as training reads them. Never changes any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_runtime.contract import Region
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.pixels.image_file import is_visible, list_images, read_image_bytes
from edge_runtime.pixels.jpeg_region import read_region

# Fewer say nothing about a class; with more, or many classes, a workstation's training is worth its time.
LEAST_PHOTOS = 5
MOST_CLASSES = 50
# The equations grow with the square of this, and the table of neighbours with it.
MOST_PHOTOS = 400


def find_photos(folder: Path) -> dict[str, tuple[Path, ...]]:
    """The image files of each class folder in ``folder``, by its name, both sorted. Of more than `MOST_PHOTOS` in all
    as many of each class, evenly drawn.

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
            f"{folder} has {len(found)} class folders, expected 2 to {MOST_CLASSES}: one for each thing that shall be "
            'told apart, also one for none of them, such as "nothing".'
        )
    for label, photos in found.items():
        if len(photos) < LEAST_PHOTOS:
            raise DataError(
                f"{folder / label} has {len(photos)} photos, expected at least {LEAST_PHOTOS}: take more, from "
                "several sides."
            )
    return _draw(found, MOST_PHOTOS // len(found))


def find_region(photos: Mapping[str, Sequence[Path]]) -> Region | None:
    """The region of the camera's frame that all photos say they were cut from; None where they do not agree.

    Raises:
        DataError: a photo cannot be read.
    """
    found = {read_region(read_image_bytes(path)) for paths in photos.values() for path in paths}
    return found.pop() if len(found) == 1 else None


def _draw(photos: dict[str, tuple[Path, ...]], most: int) -> dict[str, tuple[Path, ...]]:
    return {label: paths[:: -(-len(paths) // most)] for label, paths in photos.items()}
