"""A folder of pictures as a data set: one directory a class, or train/, val/ (or validation/) and test/ above those.

Every file is read once to hash, to try and to look at it; training decodes it again batch by batch, so the pictures
never have to fit in memory.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

import numpy as np

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.pixels.image_file import PICTURE_SUFFIXES
from train.datasets.data_checks import DataCare, DataWarning, examine, warning
from train.datasets.dataset import Dataset, FileSplit
from train.datasets.image_files import find_files, list_folders, list_images, read_content
from train.datasets.splits import Picture, cut, disjoint, listed
from train.progress import Stage

SPLIT_NAMES = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
UNKNOWN = "unknown"  # as in edge_runtime/inference/postprocess.py, which is no door of training's
SPLITS = ("train", "validation", "test")


def open_folder(
    folder: Path, input_spec: InputSpec, *, skip_bad: bool = False, progress: TextIO | None = None
) -> Dataset:
    """The data set in ``folder``: labels are the class directories' names, sorted; its ``care`` says what may not work.

    With ``skip_bad``, files that cannot be decoded or are no pictures are left out with a warning. How far reading
    is goes to ``progress``.

    Raises:
        MissingInputError: there is no such folder.
        DataError: files are unreadable, misplaced or contradictory, or a class or split is empty; lists the files.
    """
    if not folder.is_dir():
        raise MissingInputError(f"There is no folder {folder}; expected cifar10-mini, cifar10 or a folder of classes.")
    root = _below_wrapper(folder)
    reader = _Reader(root, skip_bad, progress)
    given = reader.splits()
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
    splits, found = disjoint(given)
    for split in ("validation", "test"):
        if split not in splits:
            splits["train"], splits[split] = cut(splits["train"], split, labels)
    absent = [label for label in labels if label not in {picture.label for picture in splits["train"]}]
    if absent:
        raise DataError(
            f"All training pictures of {', '.join(absent)} are held out too; expected pictures that no other split has."
        )
    parts = {name: _as_split(folder, pictures, labels, input_spec) for name, pictures in splits.items()}
    seen = {name: [picture.sighting() for picture in splits[name]] for name in SPLITS}
    care = examine(seen, labels, min(input_spec.height, input_spec.width))
    care = DataCare(care.counts, (*reader.warnings, *found, *care.warnings))
    name = folder.resolve().name
    return Dataset(name, tuple(labels), parts["train"], parts["validation"], parts["test"], care=care)


class _Reader:
    """Reads the pictures below ``root`` and gathers what it left out."""

    def __init__(self, root: Path, skip_bad: bool, progress: TextIO | None) -> None:
        self.root, self.skip_bad, self.progress = root, skip_bad, progress
        self.warnings: list[DataWarning] = []

    def splits(self) -> dict[str, list[Picture]]:
        folder = self.root
        entries = list_folders(folder)
        split_folders: dict[str, list[Path]] = {}
        for path in entries:
            if path.name.lower() in SPLIT_NAMES:
                split_folders.setdefault(SPLIT_NAMES[path.name.lower()], []).append(path)
        if "train" not in split_folders:
            return {"train": self.classes(folder)}
        others = [path for path in entries if path.name.lower() not in SPLIT_NAMES]
        if others:
            raise DataError(
                f"{folder} has train/ and also {listed(others)}; expected only train/, val/ (or validation/), test/."
            )
        for paths in split_folders.values():
            if len(paths) > 1:
                names = " and ".join(f"{path.name}/" for path in paths)
                raise DataError(f"{folder} has both {names}; expected one of them.")
        _expect_none(list_images(folder), f"lie beside the splits of {folder}", "pictures in class directories alone")
        return {name: self.classes(paths[0]) for name, paths in split_folders.items()}

    def classes(self, folder: Path) -> list[Picture]:
        entries = list_folders(folder)
        # A licence or a note beside the classes is nobody's mistake.
        _expect_none(
            list_images(folder), f"lie beside the classes of {folder}", "every picture in its class's directory"
        )
        badly_named = [path for path in entries if path.name != path.name.strip() or not path.name.isprintable()]
        _expect_none(
            badly_named, "have blanks at an end or control characters in their names", "plain class names: rename"
        )
        mistakable = [path for path in entries if path.name.lower() == UNKNOWN]
        _expect_none(
            mistakable,
            "have the name of the answer of a model that is not sure",
            "another name for what belongs to no class, such as nothing or other: rename",
        )
        files: list[tuple[Path, str]] = []
        odd: list[Path] = []
        for path in entries:
            pictures, others = find_files(path)
            odd += others
            if not pictures and (self.skip_bad or not others):
                raise DataError(f"The class directory {path} has no picture; expected at least one: fill or remove it.")
            files += [(file, path.name) for file in pictures]
        self._bad(odd, "have no picture's ending", f"one of {' '.join(PICTURE_SUFFIXES)}: rename or remove them")
        stage = Stage(self.progress, f"looking at the pictures in {folder.name}", len(files)) if self.progress else None
        results: list[Picture | None] = []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for result in pool.map(self._read, files):
                results.append(result)
                if stage:
                    stage.step()
        unreadable = [file for (file, _), result in zip(files, results, strict=True) if result is None]
        self._bad(
            unreadable, "cannot be decoded", "whole JPEG, PNG, WebP, BMP or TIFF pictures: replace or remove them"
        )
        return [picture for picture in results if picture is not None]

    def _read(self, entry: tuple[Path, str]) -> Picture | None:
        file, label = entry
        content = read_content(file)
        name = file.relative_to(self.root).as_posix()
        return None if content is None else Picture(file, name, label, content.sha256, content.facts)

    def _bad(self, files: Sequence[Path], fault: str, expected: str) -> None:
        if files and self.skip_bad:
            names = [file.relative_to(self.root).as_posix() for file in files]
            self.warnings.append(warning("skipped", f"{len(files)} file(s) {fault} and are left out.", names))
        else:
            _expect_none(files, fault, f"{expected}, or --skip-bad of python -m train to leave them out")


def _below_wrapper(folder: Path) -> Path:
    """The only directory in ``folder`` when that one holds train/, as unpacked archives often do; else ``folder``."""
    entries = list_folders(folder)
    if len(entries) == 1 and not list_images(folder):
        inner = {path.name.lower() for path in list_folders(entries[0])}
        if any(SPLIT_NAMES.get(name) == "train" for name in inner):
            return entries[0]
    return folder


def _as_split(root: Path, pictures: list[Picture], labels: list[str], input_spec: InputSpec) -> FileSplit:
    if not pictures:
        raise DataError(f"A split in {root} has no picture of its own; expected at least one that the others lack.")
    return FileSplit(
        files=tuple(picture.file.resolve() for picture in pictures),
        labels=np.asarray([labels.index(picture.label) for picture in pictures], np.int64),
        names=tuple(picture.name for picture in pictures),
        sha256=tuple(picture.sha256 for picture in pictures),
        input=input_spec,
    )


def _expect_none(files: Sequence[Path], fault: str, expected: str) -> None:
    if files:
        raise DataError(f"{len(files)} file(s) {fault}: {listed(files)}. Expected {expected}.")
