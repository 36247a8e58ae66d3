"""What may go wrong with a folder of photos, reported before training: in words, with the files.

Anything that cannot work is refused when the folder is read; everything here is a warning. Nothing here opens a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from train.datasets.near_duplicates import Sighting, find_near_duplicates

FEW = 30
IMBALANCE = 3.0
MAX_LISTED = 10
# Grey images are fine where all are grey; a few among colour images teach the colour instead of the object.
GREY_SHARE = 0.9


@dataclass(frozen=True)
class DataWarning:
    """``kind`` is one word for programs, ``text`` a sentence for people, ``files`` at most MAX_LISTED of ``num``."""

    kind: str
    text: str
    num: int
    files: tuple[str, ...]


@dataclass(frozen=True)
class DataChecks:
    """Images of each class in each split, and what may not work."""

    counts: dict[str, dict[str, int]]
    warnings: tuple[DataWarning, ...]


def make_warning(kind: str, text: str, files: Iterable[str] = ()) -> DataWarning:
    """A warning about ``files``, of which the first are kept by name."""
    found = list(files)
    return DataWarning(kind, text, len(found), tuple(found[:MAX_LISTED]))


def say_count(num: int, one: str, many: str) -> str:
    """The number with a noun and a verb that agree: "1 image is", "3 images are"."""
    return f"{num} {one if num == 1 else many}"


def check_images(splits: Mapping[str, Sequence[Sighting]], labels: Sequence[str], input_side: int) -> DataChecks:
    """Warnings about the images of ``splits`` (train, validation, test); ``input_side`` is the model's, in pixels."""
    counts = {
        name: {label: sum(sighting.label == label for sighting in images) for label in labels}
        for name, images in splits.items()
    }
    everything = [sighting for images in splits.values() for sighting in images]
    found = [
        *_check_names(labels),
        *_check_counts(counts["train"]),
        *_check_oddities(everything, input_side),
        *_check_near_duplicates(splits),
    ]
    return DataChecks(counts, tuple(found))


def format_checks(checks: DataChecks) -> list[str]:
    """The report for people: counts, then one line per warning with the files below it."""
    width = max(len("class"), *(len(label) for label in checks.counts["train"]))
    text = [f"{'class':{width}}  " + "  ".join(f"{name:>10}" for name in checks.counts)]
    for label in checks.counts["train"]:
        text.append(f"{label:{width}}  " + "  ".join(f"{counts[label]:>10}" for counts in checks.counts.values()))
    for item in checks.warnings:
        text.append(f"warning: {item.text}")
        text += [f"    {file}" for file in item.files]
        if item.num > len(item.files):
            text.append(f"    and {item.num - len(item.files)} more")
    return text


def _check_names(labels: Sequence[str]) -> Iterable[DataWarning]:
    spellings: dict[str, list[str]] = {}
    for label in labels:
        # Between letters alone: 1.5 is not 15. And letters a and A may well be two classes.
        plain = re.sub(r"(?<=[^\W\d_])[\s_.-]+(?=[^\W\d_])", "", label.casefold())
        spellings.setdefault(plain if len(plain) > 1 else label, []).append(label)
    for alike in spellings.values():
        if len(alike) > 1:
            yield make_warning(
                "alike-names",
                f"The classes {', '.join(alike)} are spelt alike but counted as {len(alike)}: put their images into "
                "one folder if they are the same.",
            )


def _check_counts(counts: Mapping[str, int]) -> Iterable[DataWarning]:
    few = {label: num for label, num in counts.items() if num < FEW}
    if few:
        named = ", ".join(f"{label} ({num})" for label, num in few.items())
        yield make_warning(
            "few", f"Fewer than {FEW} training images in {named}: add more, the result may be unreliable."
        )
    most, least = max(counts, key=lambda label: counts[label]), min(counts, key=lambda label: counts[label])
    if counts[most] > IMBALANCE * counts[least]:
        yield make_warning(
            "imbalance",
            f"{most} has {counts[most]} training images and {least} {counts[least]}, over {IMBALANCE:g} times as "
            "many; more images of the smaller class would be better.",
        )


def _check_oddities(images: Sequence[Sighting], input_side: int) -> Iterable[DataWarning]:
    tiny = [p.name for p in images if min(p.facts.height, p.facts.width) < input_side / 2]
    if tiny:
        yield make_warning(
            "tiny",
            f"{say_count(len(tiny), 'image has', 'images have')} a side under {input_side // 2} pixels, half of what "
            "the model sees.",
            tiny,
        )
    grey = [p.name for p in images if p.facts.grey]
    if grey and len(grey) < GREY_SHARE * len(images):
        yield make_warning(
            "grey",
            f"{say_count(len(grey), 'image is', 'images are')} grey while others have colours; will the camera's be?",
            grey,
        )
    for kind, one, many, text in (
        (
            "alpha",
            "has",
            "have",
            "transparency, which is dropped: whatever colour lies beneath it is what the model sees.",
        ),
        ("animated", "is", "are", "animated: only the first frame is used."),
        ("deep", "has", "have", "16 bits a colour, read with 8."),
    ):
        files = [p.name for p in images if kind in p.facts.oddities]
        if files:
            how_many = say_count(len(files), f"image {one}", f"images {many}")
            yield make_warning(kind, f"{how_many} {text}", files)
    turned = [p.name for p in images if "turned" in p.facts.oddities]
    if turned:
        how_many = say_count(len(turned), "image is", "images are")
        yield make_warning("turned", f"{how_many} turned upright as they say themselves (EXIF).", turned)


def _check_near_duplicates(splits: Mapping[str, Sequence[Sighting]]) -> Iterable[DataWarning]:
    owner = {p.name: split for split, images in splits.items() for p in images}
    everything = [p for images in splits.values() for p in images]
    across_splits, across_classes, within = [], [], []
    for first, second in find_near_duplicates(everything):
        pair = f"{first.name} = {second.name}"
        if first.label != second.label:
            across_classes.append(pair)
        elif owner[first.name] != owner[second.name]:
            across_splits.append(f"{pair} ({owner[first.name]}, {owner[second.name]})")
        else:
            within.append(pair)
    if across_classes:
        yield make_warning(
            "near-duplicates-across-classes",
            f"{say_count(len(across_classes), 'pair', 'pairs')} of near-duplicates in different classes; one of each "
            "is probably misplaced.",
            across_classes,
        )
    if across_splits:
        yield make_warning(
            "near-duplicates-across-splits",
            f"{say_count(len(across_splits), 'pair', 'pairs')} of near-duplicates in two of the given splits: the "
            "measured accuracy is too good.",
            across_splits,
        )
    if within:
        pairs = say_count(len(within), "pair", "pairs")
        yield make_warning("near-duplicates", f"{pairs} of near-duplicates within a class and a split.", within)
