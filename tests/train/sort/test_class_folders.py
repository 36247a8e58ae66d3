"""Sorting copies, moves and takes back; never overwrites, never keeps two of the same bytes, never loses any."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.errors import AlreadyRunningError, ConfigurationError, DataError, UsageError
from train.sort.class_folders import ClassFolders, Original
from train.sort.index import ImageIndex
from train.sort.sorted_log import read_log_lines


def image(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 16, 3)).astype(np.uint8)
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())


def original(folder: Path, seed: int, name: str = "") -> Original:
    folder.mkdir(exist_ok=True)
    path = folder / (name or f"{seed}.png")
    path.write_bytes(image(seed))
    return Original(path, hashlib.sha256(image(seed)).hexdigest(), path.name, {"ts": 1.5})


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ImageIndex]:
    opened = ImageIndex(tmp_path / "cache" / "index.db")
    yield opened
    opened.close()


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "photos"


def files(into: Path) -> list[str]:
    return sorted(
        path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file() and ".sorted" not in path.parts
    )


def test_frames_are_copied_moved_and_taken_back(tmp_path: Path, into: Path, index: ImageIndex) -> None:
    folders = ClassFolders(into, index)
    a, b = original(tmp_path / "frames", 1), original(tmp_path / "frames", 2)
    folders.put([a, b], "mug")
    assert files(into) == ["mug/1.png", "mug/2.png"] and folders.counts() == {"mug": 2}
    folders.put([a], "pen")
    folders.put([b], "discard")
    assert files(into) == [".discarded/2.png", "pen/1.png"] and folders.label_of(b.sha256) == "discard"
    assert not (into / "mug").exists()  # training refuses a class without images
    folders.take_back([a, b])
    assert files(into) == [] and folders.label_of(a.sha256) is None
    assert a.path.read_bytes() == image(1) and b.path.read_bytes() == image(2)
    lines = read_log_lines(into / ".sorted" / "sorted.jsonl")
    assert [line["label"] for line in lines] == ["mug", "mug", "pen", "discard", None, None]
    assert lines[0] == {"sha256": a.sha256, "label": "mug", "file": "mug/1.png", "from": "1.png", "record": {"ts": 1.5}}


def test_bytes_that_a_class_has_already_are_not_copied_again(tmp_path: Path, into: Path, index: ImageIndex) -> None:
    (into / "mug" / "older").mkdir(parents=True)
    (into / "mug" / "older" / "mine.png").write_bytes(image(1))
    folders = ClassFolders(into, index)
    a = original(tmp_path / "frames", 1)
    assert folders.label_of(a.sha256) == "mug"
    folders.put([a], "mug")
    assert files(into) == ["mug/older/mine.png"]
    folders.put([a], "pen")
    assert files(into) == ["pen/mine.png"]


def test_a_name_that_is_taken_is_never_overwritten(tmp_path: Path, into: Path, index: ImageIndex) -> None:
    (into / "mug").mkdir(parents=True)
    (into / "mug" / "1.png").write_bytes(image(9))
    folders = ClassFolders(into, index)
    a = original(tmp_path / "frames", 1)
    folders.put([a], "mug")
    assert files(into) == [f"mug/1-{a.sha256[:16]}.png", "mug/1.png"]
    assert (into / "mug" / "1.png").read_bytes() == image(9)


def test_what_was_held_out_counts_and_new_images_go_to_training(tmp_path: Path, into: Path, index: ImageIndex) -> None:
    for split, seed in (("train", 1), ("test", 2)):
        (into / split / "mug").mkdir(parents=True)
        (into / split / "mug" / f"{seed}.png").write_bytes(image(seed))
    folders = ClassFolders(into, index)
    assert folders.label_of(hashlib.sha256(image(2)).hexdigest()) == "mug" and folders.labels == ["mug"]
    folders.put([original(tmp_path / "frames", 3)], "pen")
    assert files(into) == ["test/mug/2.png", "train/mug/1.png", "train/pen/3.png"]


def test_an_original_that_changed_or_is_gone_is_said_and_nothing_is_taken_out(
    tmp_path: Path, into: Path, index: ImageIndex
) -> None:
    folders = ClassFolders(into, index)
    a, b = original(tmp_path / "frames", 1), original(tmp_path / "frames", 2)
    folders.put([a], "mug")
    a.path.write_bytes(image(3))
    b.path.unlink()
    with pytest.raises(DataError, match=r"1\.png has changed since it was read; start again"):
        folders.take_back([a])
    with pytest.raises(DataError, match=r"2\.png cannot be read \(No such file or directory\); put it back"):
        folders.put([b], "mug")
    assert files(into) == ["mug/1.png"]


def test_a_camera_s_image_is_written_once(into: Path, index: ImageIndex) -> None:
    folders = ClassFolders(into, index)
    assert folders.add(image(1), "capture-1.png", "mug") is not None
    assert folders.add(image(1), "capture-2.png", "pen") is None
    assert files(into) == ["mug/capture-1.png"]


def test_a_second_process_is_refused_until_the_first_ends(into: Path, index: ImageIndex) -> None:
    folders = ClassFolders(into, index)
    with pytest.raises(AlreadyRunningError, match=r"Another process sorts into .*photos; use its page"):
        ClassFolders(into, index)
    folders.close()
    ClassFolders(into, index).close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, index: ImageIndex) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot be sorted into .*file \(Not a directory\); choose a folder"):
        ClassFolders(tmp_path / "file", index)


def test_a_cut_line_of_the_log_is_passed_over_and_a_missing_one_written(
    tmp_path: Path, into: Path, index: ImageIndex
) -> None:
    folders = ClassFolders(into, index)
    a, b = original(tmp_path / "frames", 1), original(tmp_path / "frames", 2)
    folders.put([a], "mug")
    folders.put([b], "mug")
    folders.close()
    log = into / ".sorted" / "sorted.jsonl"
    whole = log.read_text()
    log.write_text(whole[:-20])  # the crash came in the middle of b's line
    again = ClassFolders(into, index)
    again.note([a, b])
    assert [json.dumps(line["label"]) for line in read_log_lines(log)] == ['"mug"', '"mug"']
    assert [line["sha256"] for line in read_log_lines(log)] == [a.sha256, b.sha256]


@pytest.mark.parametrize("label", ["", " mug", "a/b", "..", ".sorted", "a\nb", "x" * 101])
def test_what_cannot_be_a_folder_cannot_be_a_class(tmp_path: Path, into: Path, index: ImageIndex, label: str) -> None:
    with pytest.raises(UsageError, match="expected a valid folder name"):
        ClassFolders(into, index).put([original(tmp_path / "frames", 1)], label)
    assert files(into) == []


@pytest.mark.parametrize("label", ["Unknown", "train", "val", "test"])
def test_words_with_another_meaning_cannot_be_classes(into: Path, index: ImageIndex, label: str) -> None:
    with pytest.raises(UsageError, match="a word that training takes for something else"):
        ClassFolders(into, index).put([], label)
