"""A folder becomes three splits without an image in common, or an error that names the files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.contract import InputSpec, Region
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.pixels.jpeg_region import mark_region
from train.datasets.folder import open_folder

SPEC = InputSpec(8, 8)


def image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 10, 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)


def classes(folder: Path, num: int = 20, names: tuple[str, ...] = ("cat", "ant"), start: int = 0) -> Path:
    for number, name in enumerate(names):
        for i in range(num):
            image(folder / name / f"{i:03d}.png", start + number * 1000 + i)
    return folder


def hashes(split) -> set[str]:  # type: ignore[no-untyped-def]
    return set(split.sha256)


def test_class_directories_are_split_80_10_10_with_sorted_labels(tmp_path: Path) -> None:
    dataset = open_folder(classes(tmp_path), SPEC)
    assert dataset.labels == ("ant", "cat")
    assert [len(split.labels) for split in (dataset.train, dataset.validation, dataset.test)] == [32, 4, 4]
    assert set(dataset.test.labels.tolist()) == {0, 1}


def test_images_are_read_through_the_one_preprocessing(tmp_path: Path) -> None:
    batch = open_folder(classes(tmp_path), SPEC).train.read([0, 3])
    assert (batch.shape, batch.dtype) == ((2, 8, 8, 3), np.dtype(np.uint8))


def test_the_split_follows_the_content_and_not_the_file_names(tmp_path: Path) -> None:
    first = open_folder(classes(tmp_path / "a"), SPEC)
    for file in sorted(classes(tmp_path / "b").rglob("*.png")):
        file.rename(file.with_name(f"renamed-{999 - int(file.stem):03d}.png"))
    second = open_folder(tmp_path / "b", SPEC)
    assert hashes(first.test) == hashes(second.test)
    assert hashes(first.validation) == hashes(second.validation)


def test_identical_files_never_lie_on_both_sides_of_a_split(tmp_path: Path) -> None:
    classes(tmp_path)
    for i in range(20):
        (tmp_path / "cat" / f"copy{i}.png").write_bytes((tmp_path / "cat" / f"{i:03d}.png").read_bytes())
    dataset = open_folder(tmp_path, SPEC)
    train, validation, test = hashes(dataset.train), hashes(dataset.validation), hashes(dataset.test)
    assert not (train & validation or train & test or validation & test)
    assert len(train) + len(validation) + len(test) == 40


@pytest.mark.parametrize("name", ["val", "validation"])
def test_given_splits_are_kept_and_a_test_image_leaves_training(tmp_path: Path, name: str) -> None:
    classes(tmp_path / "train", 6)
    classes(tmp_path / name, 2, start=100)
    classes(tmp_path / "test", 3, start=200)
    (tmp_path / "train" / "cat" / "leak.png").write_bytes((tmp_path / "test" / "cat" / "001.png").read_bytes())
    dataset = open_folder(tmp_path, SPEC)
    assert [len(split.labels) for split in (dataset.train, dataset.validation, dataset.test)] == [12, 4, 6]
    assert not hashes(dataset.train) & hashes(dataset.test)


def test_missing_splits_are_cut_from_the_training_images(tmp_path: Path) -> None:
    dataset = open_folder(classes(tmp_path / "train", 10).parent, SPEC)
    assert [len(split.labels) for split in (dataset.train, dataset.validation, dataset.test)] == [16, 2, 2]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"There is no folder .*nowhere; expected cifar10-mini, cifar10 or a"):
        open_folder(tmp_path / "nowhere", SPEC)


def test_unreadable_images_are_listed(tmp_path: Path) -> None:
    classes(tmp_path)
    (tmp_path / "cat" / "broken.jpg").write_bytes(b"no image")
    (tmp_path / "ant" / "empty.png").touch()
    with pytest.raises(
        DataError,
        match=r"2 file\(s\) cannot be decoded: .*ant/empty.png \(.*\), .*cat/broken.jpg \(.*not an image.*\). Expected",
    ):
        open_folder(tmp_path, SPEC)


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has 1 class \(cat\), expected at least 2 directories"):
        open_folder(classes(tmp_path, 3, ("cat",)), SPEC)


def test_an_empty_folder_has_no_class(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has 0 class \(none\), expected at least 2"):
        open_folder(tmp_path, SPEC)


def test_an_empty_class_is_named(tmp_path: Path) -> None:
    (classes(tmp_path) / "dog").mkdir()
    with pytest.raises(DataError, match=r"class directory .*dog has no image; expected at least one"):
        open_folder(tmp_path, SPEC)


def test_files_that_are_no_images_are_listed(tmp_path: Path) -> None:
    (classes(tmp_path) / "cat" / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"1 file\(s\) do not end like an image file: .*notes.txt"):
        open_folder(tmp_path, SPEC)


def test_the_reason_why_an_image_is_not_read_is_kept(tmp_path: Path) -> None:
    classes(tmp_path)
    (tmp_path / "cat" / "film.heic").write_bytes(b"\x00\x00\x00\x14ftypqt  rest")
    with pytest.raises(DataError, match=r"film.heic \(is a QuickTime film \(qt  \), expected an image"):
        open_folder(tmp_path, SPEC)


def test_a_licence_within_a_class_is_nobodys_mistake(tmp_path: Path) -> None:
    classes(tmp_path)
    (tmp_path / "cat" / "LICENSE.txt").write_text("yours")
    (tmp_path / "ant" / "README").write_text("read")
    assert open_folder(tmp_path, SPEC).labels == ("ant", "cat")


def test_one_folder_of_images_beside_a_table_of_labels_is_named(tmp_path: Path) -> None:
    for i in range(5):
        image(tmp_path / "images" / f"{i}.png", i)
    (tmp_path / "labels.csv").write_text("0.png,cat")
    with pytest.raises(
        DataError, match=r"has one folder of images, images/, and labels.csv, which may hold their labels"
    ):
        open_folder(tmp_path, SPEC)


def test_images_beside_the_classes_are_listed(tmp_path: Path) -> None:
    image(classes(tmp_path) / "stray.png", 1)
    with pytest.raises(DataError, match=r"1 file\(s\) lie beside the classes of .*stray.png"):
        open_folder(tmp_path, SPEC)


def test_a_class_may_be_called_in_any_script_and_has_one_name_however_it_is_written(tmp_path: Path) -> None:
    joined = ("می\u200cخواهم", "👩\u200d🔬", "ന്\u200dറ")
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    classes(tmp_path / "train", 20, (*joined, composed))
    classes(tmp_path / "test", 4, (*joined, decomposed), start=9000)
    dataset = open_folder(tmp_path, SPEC)
    assert dataset.labels == tuple(sorted((*joined, composed)))
    assert set(dataset.test.labels.tolist()) == {0, 1, 2, 3}


def test_a_class_name_that_turns_the_direction_of_what_follows_is_refused(tmp_path: Path) -> None:
    classes(tmp_path, 3, ("cat", "dog\u202e"))
    with pytest.raises(DataError, match="control characters in their names"):
        open_folder(tmp_path, SPEC)


def test_a_class_name_with_a_blank_at_its_end_is_refused(tmp_path: Path) -> None:
    classes(tmp_path, 3, ("cat", "dog "))
    with pytest.raises(DataError, match=r"have blanks at an end or control characters in their names: .*dog "):
        open_folder(tmp_path, SPEC)


def test_one_image_in_two_classes_is_a_contradiction(tmp_path: Path) -> None:
    classes(tmp_path)
    (tmp_path / "ant" / "twin.png").write_bytes((tmp_path / "cat" / "000.png").read_bytes())
    with pytest.raises(DataError, match=r"are the same image but in the classes ant and cat; expected one class"):
        open_folder(tmp_path, SPEC)


def test_a_class_with_too_few_images_lists_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"class ant has too few different images \(.*ant/00\d.png\) .*at least 3"):
        open_folder(classes(tmp_path, 2), SPEC)


def test_a_test_class_that_training_lacks_is_named(tmp_path: Path) -> None:
    classes(tmp_path / "train")
    classes(tmp_path / "test", 2, ("cat", "emu"), start=300)
    with pytest.raises(DataError, match=r"test split in .* has the classes emu, which training has not"):
        open_folder(tmp_path, SPEC)


def test_both_spellings_of_validation_are_one_too_many(tmp_path: Path) -> None:
    for name in ("train", "val", "validation"):
        classes(tmp_path / name, 2)
    with pytest.raises(DataError, match=r"has both val/ and validation/; expected one of them"):
        open_folder(tmp_path, SPEC)


def test_splits_can_be_given_by_name_wherever_they_lie(tmp_path: Path) -> None:
    layout = {"train": classes(tmp_path / "left", 10), "test": classes(tmp_path / "x" / "right", 2, ("cat",), 500)}
    dataset = open_folder(layout["train"], SPEC, layout=layout)
    assert [len(split.labels) for split in (dataset.train, dataset.validation, dataset.test)] == [18, 2, 2]
    assert dataset.checks is not None and dataset.test.names[0] == "x/right/cat/000.png"
    assert any(
        item.text.startswith("The test split has no image of 1 of 2 classes") and item.files == ("ant",)
        for item in dataset.checks.warnings
    )
    with pytest.raises(MissingInputError, match=r"There is no folder .*nowhere"):
        open_folder(layout["train"], SPEC, layout={**layout, "test": tmp_path / "nowhere"})


def test_a_class_beside_the_splits_is_named(tmp_path: Path) -> None:
    classes(tmp_path / "train", 2)
    classes(tmp_path, 2, ("cat",))
    with pytest.raises(DataError, match=r"has train/ and also cat/; expected only splits such as train/"):
        open_folder(tmp_path, SPEC)


def test_an_image_beside_the_splits_is_listed(tmp_path: Path) -> None:
    image(classes(tmp_path / "train", 4).parent / "stray.png", 1)
    with pytest.raises(DataError, match=r"1 file\(s\) lie beside the splits of .*stray.png"):
        open_folder(tmp_path, SPEC)


def test_a_licence_beside_the_classes_or_splits_is_welcome(tmp_path: Path) -> None:
    (classes(tmp_path / "train", 10) / "README.txt").write_text("who made these")
    (tmp_path / "LICENSE").write_text("free")
    assert len(open_folder(tmp_path, SPEC).train.labels) == 16


def test_every_fault_of_a_folder_is_named_at_once(tmp_path: Path) -> None:
    classes(tmp_path, names=("cat", "ant", "emu"))
    for number in (0, 1):
        source = tmp_path / "cat" / f"{number:03d}.png"
        (tmp_path / "ant" / f"twin{number}.png").write_bytes(source.read_bytes())
    classes(tmp_path, 1, ("owl", "yak"), start=9000)
    (tmp_path / "emu" / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"has 5 faults; fix them and start again") as caught:
        open_folder(tmp_path, SPEC)
    for part in ("ant/twin0.png", "ant/twin1.png", "class owl", "class yak", "emu/broken.png"):
        assert part in str(caught.value)


def test_images_in_two_classes_are_left_out_of_both_when_bad_files_are_skipped(tmp_path: Path) -> None:
    classes(tmp_path)
    (tmp_path / "ant" / "twin.png").write_bytes((tmp_path / "cat" / "000.png").read_bytes())
    dataset = open_folder(tmp_path, SPEC, skip_bad=True)
    assert sum(len(split.labels) for split in (dataset.train, dataset.validation, dataset.test)) == 39
    assert dataset.checks is not None
    (warning,) = [item for item in dataset.checks.warnings if item.kind == "conflicts"]
    assert warning.text == "1 image(s) lie in two classes and are left out of both."
    assert warning.files == ("ant/twin.png = cat/000.png",)


def regional(folder: Path, regions: list[Region | None]) -> Path:
    """A folder of two classes whose images say that they were cut from ``regions``, in turn."""
    for path in classes(folder, 10).rglob("*.png"):
        region = regions[int(path.stem) % len(regions)]
        coded = cv2.imencode(".jpg", cv2.imread(str(path)), [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
        path.with_suffix(".jpg").write_bytes(mark_region(coded, region))
        path.unlink()
    return folder


def test_a_region_on_which_all_images_agree_is_the_data_set_s(tmp_path: Path) -> None:
    region = Region(0.25, 0.5, 0.5, 0.25)
    dataset = open_folder(regional(tmp_path / "all", [region]), SPEC)
    assert dataset.region == region
    assert open_folder(classes(tmp_path / "none"), SPEC).region is None


@pytest.mark.parametrize("other", [None, Region(0.0, 0.0, 0.5, 0.5)])
def test_images_of_several_regions_give_none_and_a_warning(tmp_path: Path, other: Region | None) -> None:
    region = Region(0.25, 0.5, 0.5, 0.25)
    dataset = open_folder(regional(tmp_path, [region, region, region, region, other]), SPEC)
    assert dataset.region is None and dataset.checks is not None
    (warning,) = (each for each in dataset.checks.warnings if each.kind == "region")
    assert warning.text.startswith("16 of 20 images were cut from the region 0.25,0.5,0.5,0.25 of a camera's frame")
    assert "give it as --region 0.25,0.5,0.5,0.25 where it runs" in warning.text and warning.num == 4
