"""Which files of a folder are images, and what each one holds: the only code that walks and reads photo folders."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.contract import Region
from edge_runtime.errors import DataError
from edge_runtime.pixels.image_file import IMAGE_SUFFIXES, decode_image, is_visible, list_files
from edge_runtime.pixels.jpeg_region import read_region
from train.datasets.near_duplicates import ImageFacts, describe_image
from train.datasets.oddities import find_oddities


@dataclass(frozen=True)
class FileContent:
    """What was found in an image file: the SHA-256 of its bytes in hex, how the image looks, and the region of a
    camera's frame that it was cropped from, None when the file does not record one.
    """

    sha256: str
    facts: ImageFacts
    region: Region | None


def list_folders(folder: Path) -> list[Path]:
    """The visible folders in ``folder``, sorted."""
    return [path for path in _list_visible(folder) if path.is_dir()]


def list_images(folder: Path) -> list[Path]:
    """The visible image files in ``folder`` itself, sorted."""
    return [path for path in _list_visible(folder) if path.is_file() and _has_image_suffix(path)]


def find_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The visible files in ``folder`` and below, sorted: those with an image suffix, and the others."""
    found = list_files(folder)
    return [path for path in found if _has_image_suffix(path)], [path for path in found if not _has_image_suffix(path)]


def list_lost_links(folder: Path) -> list[Path]:
    """The visible entries of ``folder`` itself that are links to nothing, apart from those called as images, which
    cannot be read.
    """
    links = [path for path in _list_visible(folder) if path.is_symlink() and not path.exists()]
    return [path for path in links if not _has_image_suffix(path)]


def read_content(path: Path) -> FileContent | str:
    """What the file at ``path`` holds, or why it cannot be read or decoded, so that all such files can be named."""
    try:
        content = path.read_bytes()
        frame = decode_image(content, str(path))
    except OSError as error:
        return error.strerror or str(error)
    except DataError as error:
        return str(error).removeprefix(str(path)).strip().removesuffix(".")
    return FileContent(
        hashlib.sha256(content).hexdigest(), describe_image(frame, find_oddities(content)), read_region(content)
    )


def _list_visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if is_visible(path.name))


def _has_image_suffix(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES
