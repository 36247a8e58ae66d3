"""What the folders of a photo set are: classes, splits of classes, or something that the user has to specify.

Public sets arrange their folders in many ways. Recognised layouts are read; an ambiguous one is refused with a
description of what was found, and never trained on as if its folders were classes.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from edge_runtime.errors import DataError
from edge_runtime.pixels.image_file import IMAGE_SUFFIXES, is_visible, list_files
from train.datasets.image_files import list_folders, list_images
from train.datasets.layout.split_names import SPLITS, split_named, split_words

_IMAGES = {"image", "images", "img", "imgs", "jpegimages", "photos", "pictures"}
_NOTES = {
    "annotation", "annotations", "bboxes", "boundingboxes", "groundtruth", "labels", "mask", "masks",
    "segmentation", "segmentationclass", "segmentationobject", "segmentations", "trimaps", "xml", "xmls",
}  # fmt: skip
_PARTS = {"batch", "chunk", "part"}
_TABLES = (".csv", ".tsv", ".json", ".xls", ".xlsx", ".parquet", ".mat")
_SAY_SO = "Say which folder is what with --train DIR --validation DIR --test DIR: the folders in each DIR are classes"


def find_layout(folder: Path, ignored: Collection[str] = ()) -> dict[str, Path]:
    """The folder of classes of each split in ``folder``; only "train" where nothing is split.

    A lone wrapper folder, as in unpacked archives, is entered. ``ignored`` are names (lower case) of
    folders that are neither classes nor splits.

    Raises:
        DataError: the layout is ambiguous; the message says what was found and how to specify it.
    """
    root = look_through(folder)
    entries = [path for path in _list_holding(root) if path.name.lower() not in ignored]
    _expect_folders(root, entries)
    named = {path: split for path in entries if (split := split_named(path.name))}
    parts = {path: split for path, split in named.items() if list_folders(path)}
    _expect_classes_in_splits(root, entries, named)
    if "train" in parts.values():
        return _given_splits(root, entries, parts)
    _expect_no_notes(root, entries)
    _expect_no_wrapper(root, entries)
    _expect_no_repetition(root, entries, parts)
    _expect_train(root, entries, parts)
    _expect_no_shelves(root, entries)
    return {"train": root}


def look_through(folder: Path) -> Path:
    """Descends from ``folder`` as long as it holds only one folder of classes; folders without images beside that one,
    such as lists and annotations, do not count.
    """
    entries = list_folders(folder)
    if len(entries) > 1:
        entries = _list_holding(folder)
    if len(entries) == 1 and not list_images(folder) and _holds_classes(entries[0]):
        return look_through(entries[0])
    return folder


def _list_holding(root: Path) -> list[Path]:
    """The folders of ``root`` that hold an image at any depth; all folders if none does, or if only empty ones would be
    left out: an empty class is a separate fault.
    """
    entries = list_folders(root)
    holding = [path for path in entries if _holds_image(path)]
    others = [path for path in entries if path not in holding]
    return holding if holding and all(list_files(path) for path in others) else entries


def _holds_image(path: Path) -> bool:
    # The first image is enough: a class may hold a hundred thousand.
    names = (item.name for item in path.iterdir() if item.suffix.lower() in IMAGE_SUFFIXES)
    # A link may lead back to its own folder.
    return any(map(is_visible, names)) or any(
        _holds_image(item) for item in list_folders(path) if not item.is_symlink()
    )


def _holds_classes(path: Path) -> bool:
    return bool(list_folders(path)) and not list_images(path)


def _given_splits(root: Path, entries: list[Path], parts: dict[Path, str]) -> dict[str, Path]:
    stray = list_images(root)
    if stray:
        raise DataError(
            f"{len(stray)} file(s) lie beside the splits of {root}, first {stray[0].name}. Expected images in class "
            "directories alone."
        )
    others = [path for path in entries if path not in parts]
    if others:
        raise DataError(
            f"{root} has {_names(parts)} and also {_names(others)}; expected only splits such as train/, "
            f"val/ (or validation/) and test/, or only classes. {_SAY_SO}."
        )
    for split in SPLITS:
        same = [path for path in parts if parts[path] == split]
        if len(same) > 1:
            names = " and ".join(f"{path.name}/" for path in same)
            raise DataError(f"{root} has both {names}; expected one of them for {split}. {_SAY_SO}.")
    found = {split: look_through(path) for path, split in parts.items()}
    classes = {path.name.lower() for path in list_folders(found["train"])}
    lone = {path: inner for path in found.values() if len(inner := _list_holding(path)) == 1}
    flat = [path for path, inner in lone.items() if list_images(inner[0]) and not _may_be_class(inner[0], classes)]
    if flat:
        _refuse_flat(root, flat)
    return found


def _may_be_class(path: Path, classes: Collection[str]) -> bool:
    """Whether a split's only folder is one of the classes, and not just a wrapper such as images/."""
    return path.name.lower() in classes and _plain(path) not in _IMAGES


def _expect_folders(root: Path, entries: list[Path]) -> None:
    tables = sorted(path.name for path in root.iterdir() if path.suffix.lower() in _TABLES)
    lone = entries[0] if len(entries) == 1 and not list_folders(entries[0]) else None
    if tables and lone is not None and list_images(lone):
        raise DataError(
            f"{root} has one folder of images, {lone.name}/, and {', '.join(tables[:3])}, which may hold their labels; "
            "expected one directory per class: move each image into a directory that is called as its label."
        )
    if not entries and list_images(root) and tables:
        raise DataError(
            f"{root} has images without class directories and {', '.join(tables[:3])}, which may hold their labels; "
            "expected one directory per class: move each image into a directory that is called as its label."
        )


def _expect_classes_in_splits(root: Path, entries: list[Path], named: dict[Path, str]) -> None:
    """Images directly in train/ and test/ have no classes; a class named train is among other classes."""
    flat = [path for path in named if list_images(path) and not list_folders(path)]
    # bounding_box_train and bounding_box_test are splits whatever is beside them; train and test_tube are classes.
    alike = len({_without_split(path.name) for path in flat}) == 1 and len({named[path] for path in flat}) > 1
    if flat and len(set(named.values())) > 1 and (len(named) == len(entries) or alike):
        _refuse_flat(root, flat)


def _refuse_flat(root: Path, flat: Collection[Path]) -> None:
    raise DataError(
        f"{_names(flat)} in {root} hold images without class directories; expected one directory per class in each "
        "split. A table of labels has to be turned into directories."
    )


def _without_split(name: str) -> str:
    return " ".join(word for word in split_words(name) if not split_named(word))


def _expect_no_notes(root: Path, entries: list[Path]) -> None:
    pictures = [path for path in entries if _plain(path) in _IMAGES]
    notes = [path for path in entries if _plain(path) in _NOTES]
    if pictures and notes:
        raise DataError(
            f"{root} has {_names(pictures)} and {_names(notes)}, which look like images and their annotations and "
            f"not like classes. Give the folder whose folders are the classes, for example {pictures[0]}."
        )


def _expect_no_repetition(root: Path, entries: list[Path], parts: dict[Path, str]) -> None:
    """Folders that hold only folders with the same names again are splits, or a wrapper, but not classes."""
    inner = {path: {item.name.lower() for item in list_folders(path)} for path in entries if _holds_classes(path)}
    # Each class may keep its images in a folder of that name: cat/images, dog/images.
    if len(inner) == len(entries) and not parts and all(_keeps_images(path) for path in inner):
        return
    outer = {path.name.lower() for path in entries}
    for path, names in inner.items():
        rest = [outer - {path.name.lower()}, *(other for item, other in inner.items() if item != path)]
        shared = max((names & other for other in rest), key=len)
        if 2 * len(shared) < len(names) and not (path in parts and len(parts) > 1):
            continue
        if shared and all(split_named(name) for name in names):
            raise DataError(
                f"Each class in {root} has its own {', '.join(sorted(names))}; expected the splits outside and the "
                f"classes inside. Move them: train/{path.name}, test/{path.name} and so on."
            )
        missing = ", but no train/" if path in parts else ""
        raise DataError(
            f"{root} has {_names(entries)}{missing}, and the folders in {path.name}/ "
            f"({', '.join(sorted(names)[:5])}) come again elsewhere: that looks like splits or a wrapper, not "
            f"like classes. {_SAY_SO}."
        )


def _keeps_images(path: Path) -> bool:
    inner = list_folders(path)
    return len(inner) == 1 and inner[0].name.lower() in _IMAGES and not list_folders(inner[0])


def _expect_no_wrapper(root: Path, entries: list[Path]) -> None:
    """A folder that holds splits is not a class."""
    for path in entries:
        inner = list_folders(look_through(path))
        if [item.name for item in list_folders(path) if _holds_classes(item) and split_named(item.name)] == ["train"]:
            inner = list_folders(path)
        if "train" in {split_named(item.name) for item in inner if list_folders(item)}:
            holding = inner[0].parent
            raise DataError(
                f"{root} has {_names(entries)}, and {path.name}/ holds splits of its own ({_names(inner)}): that is no "
                f"class. Give the folder that holds the splits, {holding}."
            )


def _expect_train(root: Path, entries: list[Path], parts: dict[Path, str]) -> None:
    """A folder named like a split is not a class if all folders hold only folders."""
    if parts and len(entries) > 1 and all(_holds_classes(path) for path in entries):
        raise DataError(
            f"{root} has {_names(entries)}, but no train/, and all of them hold only folders: that looks like splits, "
            f"not like classes. {_SAY_SO}."
        )


def _expect_no_shelves(root: Path, entries: list[Path]) -> None:
    """Folders by first letter, and numbered parts of one pile of images, say where an image is, not what it is."""
    inner = {path: list_folders(path) for path in entries if _holds_classes(path)}
    begins = [item.name.lower().startswith(path.name.lower()) for path, items in inner.items() for item in items]
    if len(entries) > 2 and len(inner) == len(entries) and all(len(path.name) == 1 for path in inner) and all(begins):
        raise DataError(
            f"{root} has {_names(entries)}, and all that is in each begins with its letter: that is how a set is "
            "filed, and not its classes. Move the folders of all letters into one folder, and give that."
        )
    stems = {re.sub(r"\d+", "", path.name.lower()).strip(" _-.()") for path in entries}
    words = set(re.findall(r"[a-z]+", " ".join(stems)))
    tables = sorted(path.name for path in root.iterdir() if path.suffix.lower() in _TABLES)
    if len(entries) > 1 and len(stems) == 1 and words and (tables or words & (_IMAGES | _PARTS)):
        beside = f" beside {', '.join(tables[:3])}, which may hold their labels" if tables else ""
        raise DataError(
            f"{root} has {_names(entries)}{beside}, which look like numbered parts of one heap of images and not like "
            "classes; expected one directory per class: move each image into a directory that is called as its label."
        )


def _plain(path: Path) -> str:
    return re.sub(r"[^a-z]", "", path.name.lower())


def _names(paths: Collection[Path]) -> str:
    shown = [f"{path.name}/" for path in sorted(paths)[:6]]
    return ", ".join(shown) + (f" and {len(paths) - len(shown)} more" if len(paths) > len(shown) else "")
