"""A folder of pictures as a data set: one directory a class, or train/, val/ (or validation/) and test/ above those.

Every file is read once to hash and to try it; training decodes it again batch by batch, so the pictures never have to
fit in memory. Splits are cut by content hash within each class: the same pictures give the same split on any machine.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.image_file import PICTURE_SUFFIXES, decode_image
from train.datasets.dataset import Dataset, FileSplit

SPLIT_NAMES = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
HELD_OUT_SHARE = 0.1
IGNORED = ("thumbs.db", "desktop.ini")
MAX_LISTED = 10


@dataclass(frozen=True)
class _Picture:
    file: Path
    label: str
    sha256: str


def open_folder(folder: Path, input_spec: InputSpec) -> Dataset:
    """The data set in ``folder``: labels are the class directories' names, sorted.

    Raises:
        MissingInputError: there is no such folder.
        DataError: files are unreadable, misplaced or contradictory, or a class or split is empty; lists the files.
    """
    if not folder.is_dir():
        raise MissingInputError(f"There is no folder {folder}; expected cifar10-mini, cifar10 or a folder of classes.")
    given = _read_splits(folder)
    labels = sorted({picture.label for picture in given["train"]})
    if len(labels) < 2:
        raise DataError(
            f"{folder} has {len(labels)} class ({', '.join(labels) or 'none'}), "
            "expected at least 2 directories with pictures."
        )
    for split in ("validation", "test"):
        strangers = sorted({picture.label for picture in given.get(split, [])} - set(labels))
        if strangers:
            raise DataError(
                f"The {split} split in {folder} has the classes {', '.join(strangers)}, which training has not; "
                f"expected only {', '.join(labels)}."
            )
    splits = _disjoint(given)
    for split in ("validation", "test"):
        if split not in splits:
            splits["train"], splits[split] = _cut(splits["train"], split, labels)
    absent = [label for label in labels if label not in {picture.label for picture in splits["train"]}]
    if absent:
        raise DataError(
            f"All training pictures of {', '.join(absent)} are held out too; expected pictures that no other split has."
        )
    parts = {name: _as_split(folder, pictures, labels, input_spec) for name, pictures in splits.items()}
    return Dataset(folder.resolve().name, tuple(labels), parts["train"], parts["validation"], parts["test"])


def _read_splits(folder: Path) -> dict[str, list[_Picture]]:
    entries = [path for path in _visible(folder) if path.is_dir()]
    split_folders = {path.name: path for path in entries if path.name in SPLIT_NAMES}
    if "train" not in split_folders:
        return {"train": _read_classes(folder)}
    others = [path for path in entries if path.name not in SPLIT_NAMES]
    if others:
        raise DataError(
            f"{folder} has train/ and also {_list(others)}; expected only train/, val/ (or validation/), test/."
        )
    if "val" in split_folders and "validation" in split_folders:
        raise DataError(f"{folder} has both val/ and validation/; expected one of them.")
    _expect_none(_loose_pictures(folder), f"lie beside the splits of {folder}", "pictures in class directories alone")
    return {SPLIT_NAMES[name]: _read_classes(path) for name, path in split_folders.items()}


def _read_classes(folder: Path) -> list[_Picture]:
    entries = [path for path in _visible(folder) if path.is_dir()]
    _expect_none(
        _loose_pictures(folder), f"lie beside the classes of {folder}", "every picture in its class's directory"
    )
    badly_named = [path for path in entries if path.name != path.name.strip() or not path.name.isprintable()]
    _expect_none(badly_named, "have blanks at an end or control characters in their names", "plain class names: rename")
    files: list[tuple[Path, str]] = []
    for path in entries:
        found = sorted(file for file in path.rglob("*") if file.is_file() and _is_visible(file))
        if not found:
            raise DataError(f"The class directory {path} has no picture; expected at least one: fill or remove it.")
        files += [(file, path.name) for file in found]
    odd = [file for file, _ in files if file.suffix.lower() not in PICTURE_SUFFIXES]
    _expect_none(odd, "have no picture's ending", f"one of {' '.join(PICTURE_SUFFIXES)}: rename or remove them")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(_read, files))
    unreadable = [file for (file, _), result in zip(files, results, strict=True) if result is None]
    _expect_none(unreadable, "cannot be decoded", "whole JPEG, PNG, WebP, BMP or TIFF pictures: replace or remove them")
    return [picture for picture in results if picture is not None]


def _read(entry: tuple[Path, str]) -> _Picture | None:
    file, label = entry
    try:
        content = file.read_bytes()
        decode_image(content, str(file))
    except (OSError, DataError):
        return None
    return _Picture(file, label, hashlib.sha256(content).hexdigest())


def _disjoint(given: dict[str, list[_Picture]]) -> dict[str, list[_Picture]]:
    """Every content once: what is in the test split leaves the other two, what is in validation leaves training."""
    owners: dict[str, _Picture] = {}
    for picture in (picture for pictures in given.values() for picture in pictures):
        first = owners.setdefault(picture.sha256, picture)
        if first.label != picture.label:
            raise DataError(
                f"{first.file} and {picture.file} are the same picture but in the classes {first.label} and "
                f"{picture.label}; expected one class: remove one of them."
            )
    result, taken = {}, set()
    for name in ("test", "validation", "train"):
        if name not in given:
            continue
        result[name] = []
        for picture in given[name]:
            if picture.sha256 not in taken:
                taken.add(picture.sha256)
                result[name].append(picture)
    return result


def _cut(pictures: list[_Picture], split: str, labels: Sequence[str]) -> tuple[list[_Picture], list[_Picture]]:
    """(what stays, what is held out): a tenth of each class, at least one picture, in the order of their hashes."""
    held_out: set[str] = set()
    for label in labels:
        # The split's name in front gives each split an order of its own.
        own = sorted(
            (p.sha256 for p in pictures if p.label == label),
            key=lambda digest: hashlib.sha256(f"{split}:{digest}".encode()).hexdigest(),
        )
        if len(own) < 2:
            files = [picture.file for picture in pictures if picture.label == label]
            raise DataError(
                f"The class {label} has too few different pictures ({_list(files)}) to hold some out for {split}; "
                "expected at least 3."
            )
        held_out.update(own[: max(1, round(len(own) * HELD_OUT_SHARE))])
    stay = [picture for picture in pictures if picture.sha256 not in held_out]
    return stay, [picture for picture in pictures if picture.sha256 in held_out]


def _as_split(root: Path, pictures: list[_Picture], labels: list[str], input_spec: InputSpec) -> FileSplit:
    if not pictures:
        raise DataError(f"A split in {root} has no picture of its own; expected at least one that the others lack.")
    return FileSplit(
        files=tuple(picture.file.resolve() for picture in pictures),
        labels=np.asarray([labels.index(picture.label) for picture in pictures], np.int64),
        names=tuple(picture.file.relative_to(root).as_posix() for picture in pictures),
        sha256=tuple(picture.sha256 for picture in pictures),
        input=input_spec,
    )


def _loose_pictures(folder: Path) -> list[Path]:
    """Pictures that belong to no class; a licence or a note beside the classes is nobody's mistake."""
    return [path for path in _visible(folder) if path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES]


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _is_visible(path))


def _is_visible(path: Path) -> bool:
    return not path.name.startswith(".") and path.name.lower() not in IGNORED


def _expect_none(files: Sequence[Path], fault: str, expected: str) -> None:
    if files:
        raise DataError(f"{len(files)} file(s) {fault}: {_list(files)}. Expected {expected}.")


def _list(files: Iterable[Path]) -> str:
    names = [str(file) for file in files]
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + more
