"""Image files below a folder, as the entries that calibration and tests are made of."""

from __future__ import annotations

import hashlib
from pathlib import Path

from convert.inputs.source import ImageEntry
from edge_runtime.pixels.image_file import PICTURE_SUFFIXES


def list_images(folder: Path, *, deep: bool) -> list[Path]:
    """The image files in ``folder``, sorted by name; with ``deep`` those in its folders too."""
    paths = folder.rglob("*") if deep else folder.iterdir()
    return sorted(path for path in paths if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())


def make_entry(path: Path, root: Path, label: int) -> ImageEntry:
    """The entry of the image file ``path``, called after its place below ``root``; ``label`` -1: of no class."""
    return ImageEntry(str(path.relative_to(root)), label, path, None, hashlib.sha256(path.read_bytes()).hexdigest())
