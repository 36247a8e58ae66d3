"""The empty scene is no class; most of it is for training and the rest for conversion alone."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, MissingInputError
from train.datasets.background import MOST_READ, Background, find_background
from train.datasets.folder import open_folder

SPEC = InputSpec(8, 8)


def images(folder: Path, num: int, seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(num):
        pixels = np.random.default_rng([seed, i]).integers(0, 256, (12, 10, 3), np.uint8)
        assert cv2.imwrite(str(folder / f"{i:03d}.png"), pixels)
    return folder


@pytest.mark.parametrize("place", ["Background", "train/background"])
def test_a_folder_of_that_name_is_no_class(tmp_path: Path, place: str) -> None:
    classes = tmp_path / "train" if place.startswith("train") else tmp_path
    for number, name in enumerate(("ant", "cat")):
        images(classes / name, 20, number)
    images(tmp_path / place, 10, 7)
    dataset = open_folder(tmp_path, SPEC)
    assert dataset.labels == ("ant", "cat")
    assert dataset.background is not None
    assert (len(dataset.background.train), len(dataset.background.held_out)) == (8, 2)


def test_it_may_lie_beside_the_splits_and_elsewhere_too(tmp_path: Path) -> None:
    for number, name in enumerate(("ant", "cat")):
        images(tmp_path / "data" / "train" / name, 20, number)
    images(tmp_path / "data" / "background", 5, 7)
    images(tmp_path / "room", 5, 8)
    found = open_folder(tmp_path / "data", SPEC, background=tmp_path / "room").background
    assert found is not None and len(found.train) + len(found.held_out) == 10


def test_a_folder_without_it_has_none(tmp_path: Path) -> None:
    for number, name in enumerate(("ant", "cat")):
        images(tmp_path / name, 20, number)
    assert open_folder(tmp_path, SPEC).background is None


def test_it_is_read_in_the_size_that_is_asked_for_and_never_all_of_very_many(tmp_path: Path) -> None:
    file = images(tmp_path, 1) / "000.png"
    read = Background((file,) * (MOST_READ + 50), ()).read(InputSpec(6, 7))
    assert len(read) == MOST_READ
    assert {image.shape for image in read} == {(6, 7, 3)}


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"There is no folder .*none; --background expects images of what the"):
        find_background([tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"The background folder .*empty has no image; expected at least one"):
        find_background([tmp_path / "empty"])
    (images(tmp_path / "some", 3) / "bad.png").write_bytes(b"no image")
    with pytest.raises(
        DataError, match=r"1 file\(s\) of the background cannot be decoded: .*bad.png \(.*\). Expected whole"
    ):
        find_background([tmp_path / "some"])
    found = find_background([tmp_path / "some"], skip_bad=True)
    assert found is not None and len(found.train) + len(found.held_out) == 3
