"""What may go wrong with a folder of photos, said before training: in words, with the files.

What cannot work is refused where the folder is read; everything here is a warning. Nothing here opens a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from train.datasets.near_duplicates import Sighting, near_pairs

FEW = 30
IMBALANCE = 3.0
MAX_LISTED = 10
# Grey pictures are no fault where all are; a few among colours teach the colour instead of the thing.
GREY_SHARE = 0.9


@dataclass(frozen=True)
class DataWarning:
    """``kind`` is one word for programs, ``text`` a sentence for people, ``files`` at most MAX_LISTED of ``num``."""

    kind: str
    text: str
    num: int
    files: tuple[str, ...]


@dataclass(frozen=True)
class DataCare:
    """Pictures of each class in each split, and what may not work."""

    counts: dict[str, dict[str, int]]
    warnings: tuple[DataWarning, ...]


def warning(kind: str, text: str, files: Iterable[str] = ()) -> DataWarning:
    """A warning about ``files``, of which the first are kept by name."""
    found = list(files)
    return DataWarning(kind, text, len(found), tuple(found[:MAX_LISTED]))


def examine(splits: Mapping[str, Sequence[Sighting]], labels: Sequence[str], input_side: int) -> DataCare:
    """What the pictures of ``splits`` (train, validation, test) say; ``input_side`` is the model's, in pixels."""
    counts = {
        name: {label: sum(sighting.label == label for sighting in pictures) for label in labels}
        for name, pictures in splits.items()
    }
    everything = [sighting for pictures in splits.values() for sighting in pictures]
    found = [
        *_counted(counts["train"]),
        *_odd_pictures(everything, input_side),
        *_look_alikes(splits),
    ]
    return DataCare(counts, tuple(found))


def lines(care: DataCare) -> list[str]:
    """The report for people: counts, then a line a warning and the files below it."""
    width = max(len("class"), *(len(label) for label in care.counts["train"]))
    text = [f"{'class':{width}}  " + "  ".join(f"{name:>10}" for name in care.counts)]
    for label in care.counts["train"]:
        text.append(f"{label:{width}}  " + "  ".join(f"{counts[label]:>10}" for counts in care.counts.values()))
    for item in care.warnings:
        text.append(f"warning: {item.text}")
        text += [f"    {file}" for file in item.files]
        if item.num > len(item.files):
            text.append(f"    and {item.num - len(item.files)} more")
    return text


def _counted(counts: Mapping[str, int]) -> Iterable[DataWarning]:
    few = {label: num for label, num in counts.items() if num < FEW}
    if few:
        named = ", ".join(f"{label} ({num})" for label, num in few.items())
        yield warning("few", f"Fewer than {FEW} training pictures in {named}: add more, the result may be unreliable.")
    most, least = max(counts, key=lambda label: counts[label]), min(counts, key=lambda label: counts[label])
    if counts[most] > IMBALANCE * counts[least]:
        yield warning(
            "imbalance",
            f"{most} has {counts[most]} training pictures and {least} {counts[least]}, over {IMBALANCE:g} times as "
            "many; more pictures of the smaller class would be better.",
        )


def _odd_pictures(pictures: Sequence[Sighting], input_side: int) -> Iterable[DataWarning]:
    tiny = [p.name for p in pictures if min(p.facts.height, p.facts.width) < input_side / 2]
    if tiny:
        yield warning(
            "tiny",
            f"{len(tiny)} pictures have a side under {input_side // 2} pixels, half of what the model sees.",
            tiny,
        )
    grey = [p.name for p in pictures if p.facts.grey]
    if grey and len(grey) < GREY_SHARE * len(pictures):
        yield warning("grey", f"{len(grey)} pictures are grey while others have colours; will the camera's be?", grey)
    for kind, text in (
        ("alpha", "have transparency, which is dropped: whatever colour lies beneath it is what the model sees."),
        ("animated", "are animated; only their first picture is used."),
        ("deep", "have 16 bits a colour and are read with 8."),
    ):
        files = [p.name for p in pictures if kind in p.facts.oddities]
        if files:
            yield warning(kind, f"{len(files)} pictures {text}", files)
    turned = [p.name for p in pictures if "turned" in p.facts.oddities]
    if turned:
        yield warning("turned", f"{len(turned)} pictures are turned upright as their EXIF data say.", turned)


def _look_alikes(splits: Mapping[str, Sequence[Sighting]]) -> Iterable[DataWarning]:
    owner = {p.name: split for split, pictures in splits.items() for p in pictures}
    everything = [p for pictures in splits.values() for p in pictures]
    across_splits, across_classes, within = [], [], []
    for first, second in near_pairs(everything):
        pair = f"{first.name} = {second.name}"
        if first.label != second.label:
            across_classes.append(pair)
        elif owner[first.name] != owner[second.name]:
            across_splits.append(f"{pair} ({owner[first.name]}, {owner[second.name]})")
        else:
            within.append(pair)
    if across_classes:
        yield warning(
            "near-duplicates-across-classes",
            f"{len(across_classes)} pairs look alike but are in different classes; one of each is probably misplaced.",
            across_classes,
        )
    if across_splits:
        yield warning(
            "near-duplicates-across-splits",
            f"{len(across_splits)} pairs look alike across the given splits: the measured accuracy is too good.",
            across_splits,
        )
    if within:
        yield warning("near-duplicates", f"{len(within)} pairs look alike within a class and a split.", within)
