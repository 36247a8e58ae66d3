"""What strangers' folders hold besides images in class directories: nothing is lost without a word."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_runtime.errors import DataError
from tests.train.datasets.test_folder import SPEC, classes
from train.datasets.folder import open_folder


def num_images(folder: Path) -> int:
    dataset = open_folder(folder, SPEC)
    return sum(len(split.labels) for split in (dataset.train, dataset.validation, dataset.test))


def test_images_behind_a_link_within_a_class_count(tmp_path: Path) -> None:
    classes(tmp_path / "set", 10)
    classes(tmp_path / "more", 15, names=("cat",), start=7000)
    (tmp_path / "set" / "cat" / "more").symlink_to(tmp_path / "more" / "cat")
    assert num_images(tmp_path / "set") == 10 + 10 + 15


def test_a_link_that_leads_back_or_up_adds_nothing(tmp_path: Path) -> None:
    classes(tmp_path, 10)
    (tmp_path / "cat" / "self").symlink_to(tmp_path / "cat")
    (tmp_path / "cat" / "up").symlink_to(tmp_path)
    assert num_images(tmp_path) == 20


def test_links_to_nothing_are_named(tmp_path: Path) -> None:
    classes(tmp_path, 10)
    (tmp_path / "dog").symlink_to(tmp_path / "unplugged")
    (tmp_path / "cat" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(DataError) as refusal:
        open_folder(tmp_path, SPEC)
    assert "dog. Expected links to folders of images: fix or remove them" in str(refusal.value)
    assert "gone.jpg (No such file or directory)" in str(refusal.value)
    dataset = open_folder(tmp_path, SPEC, skip_bad=True)
    assert [warning.kind for warning in dataset.checks.warnings].count("skipped") == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("IMG_1.MOV", r"are films: .*IMG_1\.MOV\. Expected images: save frames of them as JPEG"),
        ("raw.CR2", r"are of formats that are not decoded: .*raw\.CR2\. Expected JPEG or PNG: save them as one"),
        ("a.avif", r"are of formats that are not decoded"),
        ("cat.tar.gz", r"are archives: .*cat\.tar\.gz\. Expected images: unpack or remove them"),
        ("train-00000-of-00001.parquet", r"hold data in a table or record: .* write the images out as PNG or JPEG"),
        ("0", r"do not end like an image file: .*Expected one of \.jpg .*: rename or remove them"),
        ("1.xml", r"do not end like an image file"),
    ],
)
def test_a_file_that_is_no_image_is_called_what_it_is(tmp_path: Path, name: str, message: str) -> None:
    (classes(tmp_path, 10) / "cat" / name).write_bytes(b"x")
    with pytest.raises(DataError, match=message):
        open_folder(tmp_path, SPEC)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train.zip", "test.zip"), r"has 0 class \(none\) and test\.zip, train\.zip, to be unpacked into directories"),
        (("train.tfrecord-00000-of-00001",), r"train\.tfrecord-00000-of-00001, whose images have to be written out"),
    ],
)
def test_a_folder_of_archives_alone_is_told_to_unpack_them(
    tmp_path: Path, names: tuple[str, ...], message: str
) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=message):
        open_folder(tmp_path, SPEC)


def test_one_class_whose_others_are_still_archives_is_told_to_unpack_them(tmp_path: Path) -> None:
    (classes(tmp_path, 10, names=("cat",)) / "dog.zip").write_bytes(b"x")
    with pytest.raises(DataError, match=r"has 1 class \(cat\) and dog\.zip, to be unpacked"):
        open_folder(tmp_path, SPEC)


def test_class_names_that_differ_in_capitals_alone_are_named(tmp_path: Path) -> None:
    classes(tmp_path / "train", 10, names=("Cat", "Dog"))
    classes(tmp_path / "test", 5, names=("cat", "dog"), start=9000)
    with pytest.raises(DataError, match=r"cat, dog, which training has not; .* cat, dog only differ in capitals"):
        open_folder(tmp_path, SPEC)


def test_a_set_whose_training_images_are_all_test_images_too_says_so(tmp_path: Path) -> None:
    classes(tmp_path / "train", 10)
    shutil.copytree(tmp_path / "train", tmp_path / "test")
    with pytest.raises(DataError, match="All training images of ant, cat are held out too"):
        open_folder(tmp_path, SPEC)


def test_a_set_for_anomalies_says_which_class_is_never_shown(tmp_path: Path) -> None:
    classes(tmp_path / "train", 10, names=("good",))
    classes(tmp_path / "test", 5, names=("good", "scratch"), start=9000)
    with pytest.raises(DataError, match=r"has 1 class \(good\) to train on, and scratch in test; .* never shown"):
        open_folder(tmp_path, SPEC)
