"""What the camera sees when nothing is there: images that belong to no class, in a folder named background.

Training places objects in front of them and learns to see none of the classes in them. A part is held out for
conversion, so that what they show about "unknown" was not learnt by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.pixels.image_file import read_image
from edge_runtime.pixels.preprocess import Image, preprocess
from train.datasets.faults import list_names
from train.datasets.image_files import find_files

NAME = "background"
HELD_OUT_SHARE = 0.2
# More images than this would add little; they are held in memory.
MOST_READ = 200


@dataclass(frozen=True)
class Background:
    """Image files of the empty scene: ``train`` for training, ``held_out`` for conversion alone; both sorted."""

    train: tuple[Path, ...]
    held_out: tuple[Path, ...]

    def read(self, spec: InputSpec) -> list[Image]:
        """At most MOST_READ of the training images, evenly spread, (spec.height, spec.width, 3) uint8 RGB."""
        spread = np.linspace(0, len(self.train) - 1, min(MOST_READ, len(self.train))).round().astype(int)
        return [preprocess(read_image(self.train[index]), spec) for index in spread.tolist()]


def is_background(folder: Path) -> bool:
    """Whether a folder beside the classes is the empty scene and not a class."""
    return folder.name.lower() == NAME


def find_background(folders: Sequence[Path], *, skip_bad: bool = False) -> Background | None:
    """The images of the empty scene in ``folders`` and below; None without folders.

    A fifth is held out as one run of consecutive names, since images close in time show the same scene.

    Raises:
        MissingInputError: a folder does not exist.
        DataError: files are unreadable (without ``skip_bad``), or no image is left.
    """
    if not folders:
        return None
    files: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise MissingInputError(
                f"There is no folder {folder}; --background expects images of what the camera sees when nothing is "
                "there (edge-runtime collect --background)."
            )
        files += find_files(folder)[0]
    bad = {file: reason for file in files if (reason := _find_fault(file))}
    if bad and not skip_bad:
        shown = [f"{file} ({reason})" for file, reason in bad.items()]
        raise DataError(
            f"{len(bad)} file(s) of the background cannot be decoded: {list_names(shown)}. Expected whole "
            "images: replace or remove them, or --skip-bad of python -m train to leave them out."
        )
    good = [file.resolve() for file in files if file not in bad]
    if not good:
        names = ", ".join(map(str, folders))
        raise DataError(f"The background folder {names} has no image; expected at least one: fill or remove it.")
    num_held_out = round(len(good) * HELD_OUT_SHARE)
    return Background(tuple(good[: len(good) - num_held_out]), tuple(good[len(good) - num_held_out :]))


def _find_fault(file: Path) -> str:
    """Why the image file cannot be read, "" when it can."""
    try:
        read_image(file)
    except (OSError, DataError, MissingInputError) as error:
        return str(error).removeprefix(str(file)).strip().removesuffix(".")
    return ""
