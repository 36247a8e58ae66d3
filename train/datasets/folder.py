"""A folder of images as a data set: one directory per class, or splits above those (`layout.py` decides).

Every file is read once to hash, decode and check it; training decodes it again batch by batch, so the images
never have to fit in memory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

import numpy as np

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.system.printable import compose_name, is_plain_name
from train.datasets.background import NAME as BACKGROUND
from train.datasets.background import find_background, is_background
from train.datasets.common_region import find_common_region
from train.datasets.data_checks import DataChecks, DataWarning, check_images, make_warning
from train.datasets.dataset import Dataset, FileSplit
from train.datasets.faults import Faults
from train.datasets.image_files import find_files, list_folders, list_images, list_lost_links, read_content
from train.datasets.layout import find_layout, look_through
from train.datasets.layout.other_files import describe_packed, group_others, list_packed
from train.datasets.layout.split_names import SPLITS
from train.datasets.near_duplicates import group_near_duplicates
from train.datasets.splits import (
    LabelledImage,
    describe_conflict,
    describe_small_classes,
    find_conflicts,
    hold_out,
    make_disjoint,
)
from train.progress import Stage

UNKNOWN = "unknown"  # as in edge_runtime/inference/postprocess.py, which training may not import


def open_folder(
    folder: Path,
    input_spec: InputSpec,
    *,
    skip_bad: bool = False,
    background: Path | None = None,
    layout: dict[str, Path] | None = None,
    progress: TextIO | None = None,
) -> Dataset:
    """The data set in ``folder``: labels are the class directories' names, sorted; ``checks`` say what may not work.

    ``layout`` says which folder of classes each split is; without it the folder names do. A folder ``background``
    beside the classes or the splits is not a class but what the camera sees when nothing is there; the one given as
    ``background`` is added to it. With ``skip_bad``, files that cannot be decoded, are not images or are in two
    classes are left out with a warning. Progress of the reading goes to ``progress``.

    Raises:
        MissingInputError: there is no such folder.
        DataError: files are unreadable, misplaced or contradictory, or a class or split is empty or too small; the
            message names all of them at once.
    """
    for path in (folder, *(layout or {}).values()):
        if not path.is_dir():
            raise MissingInputError(
                f"There is no folder {path}; expected cifar10-mini, cifar10 or a folder of classes."
            )
    reader = _Reader(folder, layout, skip_bad, progress)
    given = reader.without_conflicts(reader.splits())
    labels = sorted({image.label for image in given["train"]})
    to_hold_out = [split for split in ("validation", "test") if split not in given]
    for sentence in describe_small_classes(given["train"], labels, len(to_hold_out)) if to_hold_out else []:
        reader.faults.add(sentence)
    reader.faults.refuse()
    if len(labels) < 2:
        raise DataError(_describe_too_few_classes(folder, labels, given))
    reader.warnings += _compare_classes(folder, labels, given)
    splits, found = make_disjoint(given)
    absent = [label for label in labels if label not in {image.label for image in splits["train"]}]
    if absent:
        raise DataError(
            f"All training images of {', '.join(absent)} are held out too; expected images that no other split has."
        )
    for split in to_hold_out:
        splits["train"], splits[split] = hold_out(splits["train"], split, labels)
    parts = {name: _as_split(folder, images, labels, input_spec) for name, images in splits.items()}
    seen = {name: [image.sighting() for image in splits[name]] for name in SPLITS}
    checks = check_images(seen, labels, min(input_spec.height, input_spec.width))
    region, differing = find_common_region([image for images in splits.values() for image in images])
    checks = DataChecks(checks.counts, (*reader.warnings, *found, *checks.warnings, *differing))
    name = folder.resolve().name
    empty_scene = find_background([*reader.background, *([background] if background else [])], skip_bad=skip_bad)
    return Dataset(
        name,
        tuple(labels),
        parts["train"],
        parts["validation"],
        parts["test"],
        checks=checks,
        background=empty_scene,
        region=region,
        groups=tuple(group_near_duplicates(seen["train"])),
    )


def _compare_classes(
    folder: Path, labels: Sequence[str], given: Mapping[str, Sequence[LabelledImage]]
) -> list[DataWarning]:
    """Warnings about classes of training, ``labels``, that a held-out split lacks; it must have no others."""
    warnings = []
    for split in [name for name in ("validation", "test") if name in given]:
        classes = {image.label for image in given[split]}
        unknown = sorted(classes - set(labels))
        if unknown:
            alike = [name for name in unknown if name.casefold() in {label.casefold() for label in labels}]
            hint = f" {', '.join(alike)} only differ in capitals: rename." if alike else ""
            raise DataError(
                f"The {split} split in {folder} has the classes {', '.join(unknown)}, which training has not; "
                f"expected only {', '.join(labels)}.{hint}"
            )
        empty = sorted(set(labels) - classes)
        if empty:
            text = f"The {split} split has no image of {len(empty)} of {len(labels)} classes: nothing is known of them."
            warnings.append(make_warning("absent", text, empty))
    return warnings


def _describe_too_few_classes(folder: Path, labels: Sequence[str], given: Mapping[str, Sequence[LabelledImage]]) -> str:
    found = f"has {len(labels)} class ({', '.join(labels) or 'none'})"
    others = {split: sorted({image.label for image in given.get(split, ())} - set(labels)) for split in SPLITS}
    held_out = [f"{', '.join(names)} in {split}" for split, names in others.items() if names]
    if held_out:
        return (
            f"{folder} {found} to train on, and {' and '.join(held_out)}; expected at least 2 directories with images "
            "in training: a class that is never shown cannot be told. Move some of its images there."
        )
    packed = list_packed(folder)
    if packed:
        return f"{folder} {found} and {describe_packed(packed)}; expected at least 2 directories with images."
    return f"{folder} {found}, expected at least 2 directories with images."


class _Reader:
    """Reads the images below ``root`` and records what it left out."""

    def __init__(self, root: Path, layout: dict[str, Path] | None, skip_bad: bool, progress: TextIO | None) -> None:
        self.root, self.layout, self.skip_bad, self.progress = root, layout, skip_bad, progress
        self.warnings: list[DataWarning] = []
        self.faults = Faults(root)
        self.background: list[Path] = []

    def splits(self) -> dict[str, list[LabelledImage]]:
        if self.layout is None:
            outer = look_through(self.root)
            layout = find_layout(self.root, ignored=(BACKGROUND,))
            if outer not in layout.values():
                self.background += [path for path in list_folders(outer) if is_background(path)]
        else:
            layout = self.layout
        self.root = Path(os.path.commonpath(list(layout.values())))
        return {name: self.classes(path) for name, path in layout.items()}

    def classes(self, folder: Path) -> list[LabelledImage]:
        folders = list_folders(folder)
        self.background += [path for path in folders if is_background(path)]
        entries = [path for path in folders if not is_background(path)]
        # A licence or a note beside the classes is not a mistake.
        self.faults.expect_none(
            list_images(folder), f"lie beside the classes of {folder}", "every image in its class's directory"
        )
        self._bad(
            list_lost_links(folder), "are links that lead nowhere", "links to folders of images: fix or remove them"
        )
        badly_named = [path for path in entries if not is_plain_name(path.name)]
        self.faults.expect_none(
            badly_named, "have blanks at an end or control characters in their names", "plain class names: rename"
        )
        mistakable = [path for path in entries if path.name.lower() == UNKNOWN]
        self.faults.expect_none(
            mistakable,
            "have the name of the answer of a model that is not sure",
            "another name for what belongs to no class, such as nothing or other: rename",
        )
        files: list[tuple[Path, str]] = []
        odd: list[Path] = []
        for path in entries:
            images, others = find_files(path)
            odd += others
            if not images and (self.skip_bad or not others):
                self.faults.add(f"The class directory {path} has no image; expected at least one: fill or remove it.")
            files += [(file, compose_name(path.name)) for file in images]
        for group in group_others(odd):
            self._bad(group.files, group.fault, group.expected)
        stage = Stage(self.progress, f"looking at the images in {folder.name}", len(files)) if self.progress else None
        results: list[LabelledImage | str] = []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for result in pool.map(self._read, files):
                results.append(result)
                if stage:
                    stage.step()
        reasons = {file: result for (file, _), result in zip(files, results, strict=True) if isinstance(result, str)}
        expected = "whole JPEG, PNG, WebP, BMP, TIFF or HEIC images: replace or remove them"
        self._bad(list(reasons), "cannot be decoded", expected, reasons)
        return [image for image in results if isinstance(image, LabelledImage)]

    def without_conflicts(self, given: dict[str, list[LabelledImage]]) -> dict[str, list[LabelledImage]]:
        """``given`` without images that are in two classes; each such image is a fault unless bad files are skipped."""
        conflicts = find_conflicts(given)
        if conflicts and self.skip_bad:
            names = [" = ".join(image.name for image in group) for group in conflicts]
            text = f"{len(conflicts)} image(s) lie in two classes and are left out of both."
            self.warnings.append(make_warning("conflicts", text, names))
        else:
            for group in conflicts:
                self.faults.add(describe_conflict(group))
        left_out = {group[0].sha256 for group in conflicts}
        return {split: [image for image in images if image.sha256 not in left_out] for split, images in given.items()}

    def _read(self, entry: tuple[Path, str]) -> LabelledImage | str:
        file, label = entry
        content = read_content(file)
        name = file.relative_to(self.root).as_posix()
        if isinstance(content, str):
            return content
        return LabelledImage(file, name, label, content.sha256, content.facts, content.region)

    def _bad(self, files: Sequence[Path], fault: str, expected: str, reasons: Mapping[Path, str] | None = None) -> None:
        if files and self.skip_bad:
            names = [file.relative_to(self.root).as_posix() for file in files]
            self.warnings.append(make_warning("skipped", f"{len(files)} file(s) {fault} and are left out.", names))
        else:
            shown = [f"{file} ({reasons[file]})" for file in files] if reasons else files
            self.faults.expect_none(shown, fault, f"{expected}, or --skip-bad of python -m train to leave them out")


def _as_split(root: Path, images: list[LabelledImage], labels: list[str], input_spec: InputSpec) -> FileSplit:
    if not images:
        raise DataError(f"A split in {root} has no image of its own; expected at least one that the others lack.")
    return FileSplit(
        files=tuple(image.file.resolve() for image in images),
        labels=np.asarray([labels.index(image.label) for image in images], np.int64),
        names=tuple(image.name for image in images),
        sha256=tuple(image.sha256 for image in images),
        input=input_spec,
    )
