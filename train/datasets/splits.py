"""Splits without an image in common: given splits are made disjoint, missing ones are held out by content, with
near-duplicates together.

The same images give the same splits on any machine and under any file names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.contract import Region
from edge_runtime.errors import DataError
from train.datasets.data_checks import DataWarning, make_warning, say_count
from train.datasets.faults import list_names
from train.datasets.near_duplicates import ImageFacts, Sighting, group_near_duplicates

HELD_OUT_SHARE = 0.1


@dataclass(frozen=True)
class LabelledImage:
    """One image file of a class; ``name`` is its path below the data set's folder, ``region`` the part of a camera's
    frame that it was cropped from, None when the file does not record one.
    """

    file: Path
    name: str
    label: str
    sha256: str
    facts: ImageFacts
    region: Region | None = None

    def sighting(self) -> Sighting:
        """The image's data in which near-duplicates are searched for."""
        return Sighting(self.name, self.label, self.facts)


def find_conflicts(given: dict[str, list[LabelledImage]]) -> list[list[LabelledImage]]:
    """Every group of files with identical content in more than one class, in the order of the files."""
    same: dict[str, list[LabelledImage]] = {}
    for image in (image for images in given.values() for image in images):
        same.setdefault(image.sha256, []).append(image)
    return [group for group in same.values() if len({image.label for image in group}) > 1]


def describe_conflict(group: list[LabelledImage]) -> str:
    """The files with the same content and their classes, for people."""
    classes = sorted({image.label for image in group})
    return (
        f"{list_names(image.file for image in group)} are the same image but in the classes {' and '.join(classes)}; "
        "expected one class: remove it from the others, or --skip-bad of python -m train to leave it out."
    )


def describe_small_classes(images: list[LabelledImage], labels: Sequence[str], num_splits: int) -> list[str]:
    """A sentence for each class that has too few different images to hold some out for ``num_splits`` splits."""
    sentences = []
    for label in labels:
        own = {image.sha256: image.file for image in images if image.label == label}
        if len(own) <= num_splits:
            sentences.append(
                f"The class {label} has too few different images ({list_names(own.values())}) to hold some out; "
                f"expected at least {num_splits + 1}."
            )
    return sentences


def make_disjoint(given: dict[str, list[LabelledImage]]) -> tuple[dict[str, list[LabelledImage]], list[DataWarning]]:
    """Every content once: what is in the test split is removed from the other two, what is in validation from training.

    No content may be in two classes: `find_conflicts` finds these.
    """
    result: dict[str, list[LabelledImage]] = {}
    taken: dict[str, tuple[str, str]] = {}
    duplicates: list[str] = []
    leaks: list[str] = []
    for split in ("test", "validation", "train"):
        if split not in given:
            continue
        result[split] = []
        for image in given[split]:
            first_split, first_name = taken.setdefault(image.sha256, (split, image.name))
            if first_name == image.name:
                result[split].append(image)
            elif first_split == split:
                duplicates.append(f"{image.name} = {first_name}")
            else:
                leaks.append(f"{image.name} ({split}) = {first_name} ({first_split})")
    found = []
    if leaks:
        how_many = say_count(len(leaks), "image is", "images are")
        text = f"{how_many} in two splits; what is held out stays there and is not trained on."
        found.append(make_warning("leaks", text, leaks))
    if duplicates:
        how_many = say_count(len(duplicates), "image is an exact duplicate", "images are exact duplicates")
        text = f"{how_many}, used once."
        found.append(make_warning("copies", text, duplicates))
    return result, found


def hold_out(
    images: list[LabelledImage], split: str, labels: Sequence[str]
) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """(what stays, what is held out): a tenth of each class, at least one image, in the order of their hashes.

    Near-duplicates of a class stay together, or the test would ask about images seen in training.

    Raises:
        DataError: a class has too few images.
    """
    held_out: set[str] = set()
    for label in labels:
        own = [image for image in images if image.label == label]
        if len(own) < 2:
            raise DataError(
                f"The class {label} has too few different images ({list_names(image.file for image in own)}) to hold "
                f"some out for {split}; expected at least 3."
            )
        held_out.update(_chosen(own, split, max(1, round(len(own) * HELD_OUT_SHARE))))
    stay = [image for image in images if image.sha256 not in held_out]
    return stay, [image for image in images if image.sha256 in held_out]


def _chosen(images: list[LabelledImage], split: str, num: int) -> list[str]:
    """The SHA-256 of about ``num`` images: whole groups of near-duplicates, none larger than that."""
    members: dict[int, list[str]] = {}
    for image, group in zip(images, group_near_duplicates([image.sighting() for image in images]), strict=True):
        members.setdefault(group, []).append(image.sha256)
    together = sorted((sorted(group) for group in members.values()), key=lambda group: _order(split, group[0]))
    chosen: list[str] = []
    for digests in together:
        if len(chosen) < num and len(digests) <= max(1, num - len(chosen)):
            chosen += digests
    if chosen:
        return chosen
    # All are near-duplicates: they can only be divided.
    return sorted((image.sha256 for image in images), key=lambda digest: _order(split, digest))[:num]


def _order(split: str, digest: str) -> str:
    # With the split's name in front, each split has its own order.
    return hashlib.sha256(f"{split}:{digest}".encode()).hexdigest()
