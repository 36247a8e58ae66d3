"""Splits without a picture in common: given ones are made disjoint, missing ones cut by content, look-alikes together.

The same pictures give the same splits on any machine and under any file names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import DataError
from train.datasets.data_checks import DataWarning, warning
from train.datasets.near_duplicates import PictureFacts, Sighting, groups

HELD_OUT_SHARE = 0.1
MAX_LISTED = 10


@dataclass(frozen=True)
class Picture:
    """One picture file of a class; ``name`` is its path below the data set's folder."""

    file: Path
    name: str
    label: str
    sha256: str
    facts: PictureFacts

    def sighting(self) -> Sighting:
        return Sighting(self.name, self.label, self.facts)


def disjoint(given: dict[str, list[Picture]]) -> tuple[dict[str, list[Picture]], list[DataWarning]]:
    """Every content once: what is in the test split leaves the other two, what is in validation leaves training.

    Raises:
        DataError: one picture is in two classes.
    """
    owners: dict[str, Picture] = {}
    for picture in (picture for pictures in given.values() for picture in pictures):
        first = owners.setdefault(picture.sha256, picture)
        if first.label != picture.label:
            raise DataError(
                f"{first.file} and {picture.file} are the same picture but in the classes {first.label} and "
                f"{picture.label}; expected one class: remove one of them."
            )
    result: dict[str, list[Picture]] = {}
    taken: dict[str, tuple[str, str]] = {}
    copies: list[str] = []
    leaks: list[str] = []
    for split in ("test", "validation", "train"):
        if split not in given:
            continue
        result[split] = []
        for picture in given[split]:
            first_split, first_name = taken.setdefault(picture.sha256, (split, picture.name))
            if first_name == picture.name:
                result[split].append(picture)
            elif first_split == split:
                copies.append(f"{picture.name} = {first_name}")
            else:
                leaks.append(f"{picture.name} ({split}) = {first_name} ({first_split})")
    found = []
    if leaks:
        text = f"{len(leaks)} pictures are in two splits; they stay where they are held out and are not trained on."
        found.append(warning("leaks", text, leaks))
    if copies:
        found.append(warning("copies", f"{len(copies)} pictures are exact copies and are used once.", copies))
    return result, found


def cut(pictures: list[Picture], split: str, labels: Sequence[str]) -> tuple[list[Picture], list[Picture]]:
    """(what stays, what is held out): a tenth of each class, at least one picture, in the order of their hashes.

    Pictures of a class that look alike stay together, or the test would ask for what was shown in training.

    Raises:
        DataError: a class has too few pictures.
    """
    held_out: set[str] = set()
    for label in labels:
        own = [picture for picture in pictures if picture.label == label]
        if len(own) < 2:
            raise DataError(
                f"The class {label} has too few different pictures ({listed(picture.file for picture in own)}) to hold "
                f"some out for {split}; expected at least 3."
            )
        held_out.update(_chosen(own, split, max(1, round(len(own) * HELD_OUT_SHARE))))
    stay = [picture for picture in pictures if picture.sha256 not in held_out]
    return stay, [picture for picture in pictures if picture.sha256 in held_out]


def _chosen(pictures: list[Picture], split: str, num: int) -> list[str]:
    """The SHA-256 of about ``num`` pictures: whole groups of look-alikes, none larger than that."""
    members: dict[int, list[str]] = {}
    for picture, group in zip(pictures, groups([picture.sighting() for picture in pictures]), strict=True):
        members.setdefault(group, []).append(picture.sha256)
    together = sorted((sorted(group) for group in members.values()), key=lambda group: _order(split, group[0]))
    chosen: list[str] = []
    for alike in together:
        if len(chosen) < num and len(alike) <= max(1, num - len(chosen)):
            chosen += alike
    if chosen:
        return chosen
    # All look alike: there is nothing left but to part them.
    return sorted((picture.sha256 for picture in pictures), key=lambda digest: _order(split, digest))[:num]


def _order(split: str, digest: str) -> str:
    # The split's name in front gives each split an order of its own.
    return hashlib.sha256(f"{split}:{digest}".encode()).hexdigest()


def listed(files: Iterable[object]) -> str:
    """The first names, and how many more there are."""
    names = [str(file) for file in files]
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + more
