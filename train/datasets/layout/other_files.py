"""What the files in a photo folder are that are not images, and what to do about each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.pixels.image_file import IMAGE_SUFFIXES, is_visible
from train.datasets.faults import list_names

_NOTES = (
    "attribution", "copying", "copyright", "credits", "license", "licence", "notice", "readme", "source", "sources",
)  # fmt: skip
_ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst")
_TABLES = (
    ".arrow", ".feather", ".h5", ".hdf5", ".lmdb", ".mat", ".npy", ".npz", ".parquet", ".pickle", ".pkl", ".rec",
    ".tfrecord", ".tfrecords",
)  # fmt: skip
_PHOTOS = (
    ".arw", ".avif", ".cr2", ".cr3", ".dng", ".exr", ".hdr", ".ico", ".j2k", ".jp2", ".jxl", ".nef", ".orf", ".pdf",
    ".psd", ".raf", ".rw2", ".svg", ".tga", ".xcf",
)  # fmt: skip
_FILMS = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")


@dataclass(frozen=True)
class OtherFiles:
    """Files of one kind; ``fault`` says what they are, ``expected`` what should be there, and what to do."""

    files: tuple[Path, ...]
    fault: str
    expected: str


def group_others(files: Sequence[Path]) -> list[OtherFiles]:
    """What ``files``, none of which has an image's ending, are; licences and notes may be anywhere and are left out."""
    kinds = (
        (_ARCHIVES, "are archives", "images: unpack or remove them"),
        (_TABLES, "hold data in a table or record", "an image file each: write the images out as PNG or JPEG"),
        (_PHOTOS, "are of formats that are not decoded", "JPEG or PNG: save them as one of these"),
        (_FILMS, "are films", "images: save frames of them as JPEG, or remove them"),
    )
    rest = [file for file in files if not is_note(file)]
    groups = []
    for endings, fault, expected in kinds:
        some = tuple(file for file in rest if _has_ending(file, endings))
        rest = [file for file in rest if file not in some]
        groups.append(OtherFiles(some, fault, expected))
    one_of = f"one of {' '.join(IMAGE_SUFFIXES)}: rename or remove them"
    groups.append(OtherFiles(tuple(rest), "do not end like an image file", one_of))
    return [group for group in groups if group.files]


def list_packed(folder: Path) -> list[Path]:
    """The archives and tables in ``folder`` itself."""
    visible = sorted(path for path in folder.iterdir() if is_visible(path.name))
    return [path for path in visible if path.is_file() and _has_ending(path, (*_ARCHIVES, *_TABLES))]


def describe_packed(files: Sequence[Path]) -> str:
    """What archives and tables are and what to do with them, for the middle of a sentence."""
    archives = [path.name for path in files if _has_ending(path, _ARCHIVES)]
    tables = [path.name for path in files if path.name not in archives]
    said = [f"{list_names(archives)}, to be unpacked into directories"] if archives else []
    said += [f"{list_names(tables)}, whose images have to be written out as files"] if tables else []
    return " and ".join(said)


def is_note(path: Path) -> bool:
    """Whether the file is a licence or the like, which downloaded sets may have anywhere."""
    return path.stem.lower() in _NOTES and path.suffix.lower() in ("", ".txt", ".md", ".rst", ".html", ".pdf")


def _has_ending(path: Path, endings: Sequence[str]) -> bool:
    # "train.tfrecord-00000-of-00001", "train.tar.gz"
    return any(suffix.lower().partition("-")[0] in endings for suffix in path.suffixes)
