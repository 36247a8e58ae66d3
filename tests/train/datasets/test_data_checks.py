"""What may go wrong with a folder is said with its files; near-duplicates are found and never divided between splits."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError
from train.datasets.data_checks import DataChecks, DataWarning, format_checks, say_count
from train.datasets.folder import open_folder
from train.datasets.near_duplicates import describe_image
from train.datasets.oddities import find_oddities

SPEC = InputSpec(64, 64)


def photo(seed: int) -> np.ndarray:
    """A scene of random patches, unlike any other seed's."""
    patches = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return cv2.resize(patches, (96, 80), interpolation=cv2.INTER_CUBIC)


def save(path: Path, pixels: np.ndarray, *options: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels, list(options))
    return path


def classes(folder: Path, counts: dict[str, int]) -> Path:
    for number, (name, num) in enumerate(counts.items()):
        for i in range(num):
            save(folder / name / f"{i:03d}.jpg", photo(number * 1000 + i))
    return folder


def checks_of(folder: Path, **settings: bool) -> DataChecks:
    checks = open_folder(folder, SPEC, **settings).checks
    assert checks is not None
    return checks


def the(checks: DataChecks, kind: str) -> DataWarning:
    found = [item for item in checks.warnings if item.kind == kind]
    assert len(found) == 1, [item.kind for item in checks.warnings]
    return found[0]


def test_a_good_folder_gets_counts_and_no_warning(tmp_path: Path) -> None:
    checks = checks_of(classes(tmp_path, {"cup": 40, "pen": 45}))
    assert checks.warnings == ()
    assert checks.counts["train"] == {"cup": 32, "pen": 37}


def test_few_images_and_imbalance_are_named_with_their_numbers(tmp_path: Path) -> None:
    checks = checks_of(classes(tmp_path, {"cup": 10, "pen": 60}))
    assert "Fewer than 30 training images in cup (8)" in the(checks, "few").text
    assert "pen has 49 training images and cup 8, over 3 times as many" in the(checks, "imbalance").text


def test_classes_spelt_alike_are_named_and_other_vowels_are_another_class(tmp_path: Path) -> None:
    names = ["Cat", "cat", "T shirt", "t-shirt", "t_shirt", "किताब", "कुतुब", "1.5", "15", "a", "A"]
    checks = checks_of(classes(tmp_path, dict.fromkeys(names, 10)))
    texts = [item.text for item in checks.warnings if item.kind == "alike-names"]
    assert texts == [
        "The classes Cat, cat are spelt alike but counted as 2: put their images into one folder if they are the same.",
        "The classes T shirt, t-shirt, t_shirt are spelt alike but counted as 3: put their images into one folder if "
        "they are the same.",
    ]


def test_a_scaled_and_encoded_copy_is_found_and_another_scene_is_not(tmp_path: Path) -> None:
    classes(tmp_path, {"cup": 40, "pen": 40})
    save(tmp_path / "cup" / "again.jpg", cv2.resize(photo(3), (200, 150)), cv2.IMWRITE_JPEG_QUALITY, 60)
    checks = checks_of(tmp_path)
    assert the(checks, "near-duplicates").files == ("cup/003.jpg = cup/again.jpg",)


def test_near_duplicates_in_two_classes_are_named(tmp_path: Path) -> None:
    classes(tmp_path, {"cup": 40, "pen": 40})
    save(tmp_path / "pen" / "cup too.jpg", photo(3), cv2.IMWRITE_JPEG_QUALITY, 60)
    assert the(checks_of(tmp_path), "near-duplicates-across-classes").num == 1


def test_a_training_image_that_is_also_in_the_test_split_is_said_and_leaves_training(tmp_path: Path) -> None:
    classes(tmp_path / "train", {"cup": 40, "pen": 40})
    save(tmp_path / "test" / "cup" / "own.jpg", photo(5001))
    save(tmp_path / "test" / "pen" / "own.jpg", photo(5002))
    (tmp_path / "test" / "cup" / "leak.jpg").write_bytes((tmp_path / "train" / "cup" / "004.jpg").read_bytes())
    save(tmp_path / "test" / "cup" / "near.jpg", photo(5), cv2.IMWRITE_JPEG_QUALITY, 60)
    dataset = open_folder(tmp_path, SPEC)
    checks = dataset.checks
    assert checks is not None
    assert the(checks, "leaks").files == ("train/cup/004.jpg (train) = test/cup/leak.jpg (test)",)
    assert len(dataset.test.labels) == 4
    (pair,) = the(checks, "near-duplicates-across-splits").files
    assert "train/cup/005.jpg = test/cup/near.jpg" in pair


def test_exact_copies_are_used_once_and_named(tmp_path: Path) -> None:
    classes(tmp_path, {"cup": 40, "pen": 40})
    (tmp_path / "cup" / "copy.jpg").write_bytes((tmp_path / "cup" / "001.jpg").read_bytes())
    assert the(checks_of(tmp_path), "copies").files == ("cup/copy.jpg = cup/001.jpg",)


def test_near_duplicates_stay_in_one_split(tmp_path: Path) -> None:
    for name, first in (("cup", 0), ("pen", 500)):
        for scene in range(25):
            for take in range(2):
                quality = 95 - 30 * take
                path = tmp_path / name / f"{scene:02d}-{take}.jpg"
                save(path, photo(first + scene), cv2.IMWRITE_JPEG_QUALITY, quality)
    dataset = open_folder(tmp_path, SPEC)
    owners: dict[str, set[str]] = {}
    for split in ("train", "validation", "test"):
        for name in getattr(dataset, split).names:
            owners.setdefault(name.rsplit("-", 1)[0], set()).add(split)
    assert {len(splits) for splits in owners.values()} == {1}
    assert len(dataset.test.labels) >= 4


def test_a_class_of_one_scene_is_cut_all_the_same(tmp_path: Path) -> None:
    classes(tmp_path, {"cup": 40})
    for quality in range(60, 90):
        save(tmp_path / "pen" / f"{quality}.jpg", photo(9000), cv2.IMWRITE_JPEG_QUALITY, quality)
    dataset = open_folder(tmp_path, SPEC)
    assert set(dataset.test.labels.tolist()) == {0, 1}


def test_tiny_and_grey_images_are_named(tmp_path: Path) -> None:
    classes(tmp_path, {"cup": 40, "pen": 40})
    save(tmp_path / "cup" / "icon.png", cv2.resize(photo(7777), (30, 24)))
    save(tmp_path / "pen" / "old.png", cv2.cvtColor(photo(8888), cv2.COLOR_BGR2GRAY))
    checks = checks_of(tmp_path)
    assert the(checks, "tiny").files == ("cup/icon.png",)
    assert the(checks, "grey").files == ("pen/old.png",)


def test_a_folder_of_grey_images_alone_is_no_fault(tmp_path: Path) -> None:
    for number, name in enumerate(("cup", "pen")):
        for i in range(40):
            save(tmp_path / name / f"{i}.png", cv2.cvtColor(photo(number * 100 + i), cv2.COLOR_BGR2GRAY))
    assert checks_of(tmp_path).warnings == ()


def test_files_left_out_on_request_are_named(tmp_path: Path) -> None:
    classes(tmp_path, {"cup": 40, "pen": 40})
    (tmp_path / "cup" / "broken.jpg").write_bytes(b"no image")
    (tmp_path / "pen" / "clip.mov").write_bytes(b"film")
    with pytest.raises(DataError, match=r"clip.mov.*or --skip-bad of python -m train to leave them out"):
        open_folder(tmp_path, SPEC)
    texts = {item.text: item.files for item in checks_of(tmp_path, skip_bad=True).warnings if item.kind == "skipped"}
    assert texts == {
        "1 file(s) are films and are left out.": ("pen/clip.mov",),
        "1 file(s) cannot be decoded and are left out.": ("cup/broken.jpg",),
    }


def test_a_class_called_unknown_is_refused_because_that_is_the_answer_of_an_unsure_model(tmp_path: Path) -> None:
    classes(tmp_path, {"cup": 2, "Unknown": 2})
    with pytest.raises(DataError, match=r"Unknown.*Expected another name .*such as nothing or other: rename"):
        open_folder(tmp_path, SPEC)


def test_how_far_the_first_look_is_can_be_seen(tmp_path: Path) -> None:
    classes(tmp_path, {"cup": 40, "pen": 40})
    told = io.StringIO()
    open_folder(tmp_path, SPEC, progress=told)
    assert f"looking at the images in {tmp_path.name} 80/80" in told.getvalue()


def test_splits_may_be_called_otherwise_and_lie_in_one_folder_more(tmp_path: Path) -> None:
    classes(tmp_path / "archive" / "Training", {"cup": 40, "pen": 40})
    for number, name in enumerate(("valid", "Testing")):
        save(tmp_path / "archive" / name / "cup" / "a.jpg", photo(6000 + number))
        save(tmp_path / "archive" / name / "pen" / "a.jpg", photo(7000 + number))
    dataset = open_folder(tmp_path, SPEC)
    assert [len(split.labels) for split in (dataset.train, dataset.validation, dataset.test)] == [80, 2, 2]


def with_exif(jpeg: bytes, orientation: int) -> bytes:
    tiff = b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + bytes([orientation, 0, 0, 0]) + bytes(4)
    segment = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + jpeg[2:]


def test_a_photo_is_turned_upright_and_that_is_said(tmp_path: Path) -> None:
    classes(tmp_path, {"cup": 40, "pen": 40})
    file = save(tmp_path / "cup" / "side.jpg", photo(4321))
    file.write_bytes(with_exif(file.read_bytes(), 6))
    assert the(checks_of(tmp_path), "turned").files == ("cup/side.jpg",)
    from edge_runtime.pixels.image_file import read_image

    assert read_image(file).shape == (96, 80, 3)


def test_alpha_deep_and_animated_files_are_told_by_their_bytes(tmp_path: Path) -> None:
    alpha = np.dstack([photo(1), np.full((80, 96), 128, np.uint8)])
    assert find_oddities(save(tmp_path / "a.png", alpha).read_bytes()) == ("alpha",)
    assert find_oddities(save(tmp_path / "b.png", photo(1).astype(np.uint16) * 257).read_bytes()) == ("deep",)
    assert find_oddities(save(tmp_path / "c.tif", photo(1).astype(np.uint16) * 257).read_bytes()) == ("deep",)
    assert find_oddities(save(tmp_path / "d.webp", alpha, cv2.IMWRITE_WEBP_QUALITY, 101).read_bytes()) == ("alpha",)
    plain = save(tmp_path / "e.png", photo(1)).read_bytes()
    assert find_oddities(plain) == ()
    assert find_oddities(plain[:33] + b"\x00\x00\x00\x08acTL" + plain[33:]) == ("animated",)


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", b"RIFF0000WEBPVP8X", b"\xff\xd8\xff\xe1", b"II*\x00\xff"]
)
def test_damaged_heads_have_no_oddities(content: bytes) -> None:
    assert find_oddities(content) == ()


def test_alpha_images_are_warned_about(tmp_path: Path) -> None:
    classes(tmp_path, {"cup": 40, "pen": 40})
    save(tmp_path / "cup" / "cut out.png", np.dstack([photo(999), np.full((80, 96), 9, np.uint8)]))
    assert "1 image has transparency" in the(checks_of(tmp_path), "alpha").text


def test_the_report_for_people_lists_counts_warnings_and_files() -> None:
    counts = {"train": {"cup": 3}, "validation": {"cup": 1}, "test": {"cup": 1}}
    text = format_checks(DataChecks(counts, (DataWarning("tiny", "2 images are tiny.", 12, ("a", "b")),)))
    assert text[1].split() == ["cup", "3", "1", "1"]
    assert text[2:] == ["warning: 2 images are tiny.", "    a", "    b", "    and 10 more"]


def test_a_plain_background_does_not_make_two_things_alike() -> None:
    cup, pen = np.full((200, 200, 3), 250, np.uint8), np.full((200, 200, 3), 250, np.uint8)
    cv2.circle(cup, (100, 100), 60, (30, 30, 200), -1)
    cv2.rectangle(pen, (90, 20), (110, 180), (200, 60, 30), -1)
    from train.datasets.near_duplicates import Sighting, find_near_duplicates

    assert (
        list(find_near_duplicates([Sighting("a", "x", describe_image(cup)), Sighting("b", "x", describe_image(pen))]))
        == []
    )


def shifted(pixels: np.ndarray, seed: int) -> np.ndarray:
    """The next frame of a burst: moved, turned and brightened a little, with other noise."""
    rng = np.random.default_rng(seed)
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-1.5, 1.5), rng.uniform(0.98, 1.02))
    matrix[:, 2] += rng.uniform(-0.025, 0.025, 2) * (width, height)
    moved = cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT) * rng.uniform(0.92, 1.08)
    return np.clip(moved + rng.normal(0, 3, moved.shape), 0, 255).astype(np.uint8)


def test_most_frames_of_a_burst_are_found_and_no_two_scenes_are_taken_for_one() -> None:
    from train.datasets.near_duplicates import Sighting, find_near_duplicates

    scenes = [Sighting(f"{seed}", "x", describe_image(photo(seed))) for seed in range(150)]
    bursts = [Sighting(f"{seed} again", "x", describe_image(shifted(photo(seed), seed))) for seed in range(150)]
    pairs = list(find_near_duplicates([*scenes, *bursts]))
    assert all(second.name == f"{first.name} again" for first, second in pairs)
    assert len(pairs) >= 0.8 * len(scenes)


def test_two_poses_before_the_same_plain_ground_are_two_images() -> None:
    from train.datasets.near_duplicates import Sighting, find_near_duplicates

    poses = []
    for number in range(6):
        ground = np.full((120, 160, 3), (60, 140, 70), np.uint8)
        cv2.ellipse(ground, (80, 60), (50, 14), 30 * number, 0, 360, (150, 180, 220), -1)
        cv2.circle(ground, (80, 60), 22, (140, 170, 215), -1)
        poses.append(Sighting(str(number), "x", describe_image(ground)))
    assert list(find_near_duplicates(poses)) == []


@pytest.mark.parametrize(("num", "words"), [(1, "1 image is"), (0, "0 images are"), (3, "3 images are")])
def test_numbers_agree_in_words(num: int, words: str) -> None:
    assert say_count(num, "image is", "images are") == words
