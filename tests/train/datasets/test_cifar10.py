"""The embedded images are the committed ones, and a complete CIFAR-10 is believed only by its checksums."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, MissingInputError, UsageError
from train.datasets import open_dataset
from train.datasets.cifar10 import BATCHES, hash_batch, list_image_names, verify
from train.datasets.cifar10_mini import FOLDER, read_mini, read_sheet, to_sheet
from train.datasets.cifar10_sources import find_cifar10, read_folder

SPEC = InputSpec(32, 32)


def test_the_embedded_data_set_matches_its_checksums_and_is_balanced() -> None:
    train, test = read_mini(SPEC)
    assert (train.images.shape, test.images.shape) == ((10_000, 32, 32, 3), (2_000, 32, 32, 3))
    assert np.bincount(train.labels).tolist() == [1_000] * 10
    assert np.bincount(test.labels).tolist() == [200] * 10
    assert len({*train.names, *test.names}) == 12_000


def test_the_embedded_data_set_needs_at_most_32_megabytes() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir() if file.is_file()) <= 32_000_000


def test_a_changed_sheet_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "mini"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(folder / "train_bird.webp", folder / "train_airplane.webp")
    with pytest.raises(DataError, match=r"train_airplane.webp have SHA-256 \w+, expected \w+: check it out again"):
        read_mini(SPEC, folder)


def test_a_sheet_gives_back_its_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (80, 32, 32, 3), np.uint8)
    assert to_sheet(images).shape == (64, 1280, 3)
    assert np.array_equal(read_sheet(to_sheet(images)), images)


def test_validation_is_cut_from_training_balanced_and_by_the_seed() -> None:
    first, again, other = (open_dataset("cifar10-mini", None, SPEC, seed) for seed in (0, 0, 1))
    assert np.bincount(first.validation.labels).tolist() == [100] * 10
    assert first.validation.names == again.validation.names != other.validation.names
    assert not set(first.validation.names) & set(first.train.names)
    assert len(first.train.names) == 9_000


def test_a_path_for_another_data_set_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--data-path x.npz goes with --data cifar10, but --data is 'cifar10-mini'"):
        open_dataset("cifar10-mini", Path("x.npz"), SPEC, 0)


def test_the_checksum_is_over_the_original_binary_layout() -> None:
    images = np.zeros((1, 32, 32, 3), np.uint8)
    images[0, 0, 0] = (1, 2, 3)
    raw = np.zeros(3073, np.uint8)
    raw[[0, 1, 1025, 2049]] = (7, 1, 2, 3)
    assert hash_batch(images, np.array([7], np.uint8)) == hashlib.md5(raw.tobytes()).hexdigest()


def test_images_that_are_not_the_original_are_refused() -> None:
    with pytest.raises(DataError, match=r"data_batch_1 in here has MD5 \w+, expected 5dd7e06a\w+: damaged"):
        verify(np.zeros((60_000, 32, 32, 3), np.uint8), np.zeros(60_000, np.uint8), "here")


def test_an_incomplete_set_is_refused() -> None:
    with pytest.raises(DataError, match=r"here holds \(5, 32, 32, 3\) uint8 images and \(5,\) labels, expected"):
        verify(np.zeros((5, 32, 32, 3), np.uint8), np.zeros(5, np.uint8), "here")


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"There is no .*none.npz; expected CIFAR-10 as an .npz"):
        find_cifar10(tmp_path / "none.npz")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut off", b"text"])
def test_an_npz_with_other_content_is_refused(tmp_path: Path, content: bytes | None) -> None:
    np.savez(tmp_path / "other.npz", images=np.zeros(3))
    if content is not None:
        (tmp_path / "other.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"other.npz cannot be read as CIFAR-10 .*expected an .npz with x_train"):
        find_cifar10(tmp_path / "other.npz")


def test_a_folder_without_all_batches_lists_the_missing_ones(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1.bin").touch()
    with pytest.raises(DataError, match=r"lacks data_batch_2, data_batch_3, .*test_batch; expected CIFAR-10's six"):
        read_folder(tmp_path)


def test_a_cut_binary_batch_is_refused(tmp_path: Path) -> None:
    for name in BATCHES:
        (tmp_path / f"{name}.bin").write_bytes(bytes(3072))
    with pytest.raises(DataError, match=r"data_batch_1.bin has 3072 bytes, expected a multiple of 3073"):
        read_folder(tmp_path)


class Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("attacked",))


def test_a_batch_file_that_wants_to_run_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in BATCHES:
        (tmp_path / name).write_bytes(pickle.dumps(Attack()))
    with pytest.raises(DataError, match=r"wants to run builtins.print; expected arrays alone"):
        read_folder(tmp_path)
    assert capsys.readouterr().out == ""


def test_a_pickle_of_something_else_is_no_batch_file(tmp_path: Path) -> None:
    for name in BATCHES:
        (tmp_path / name).write_bytes(pickle.dumps([1]))
    with pytest.raises(DataError, match=r"data_batch_1 is not a batch file of CIFAR-10"):
        read_folder(tmp_path)


def test_extracted_binary_and_python_batches_give_the_same_images(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("train.datasets.cifar10_sources.verify", lambda images, labels, _: (images, labels))
    rows = np.random.default_rng(0).integers(0, 10, (6, 4, 3073), np.uint8)
    for kind in ("binary", "python"):
        (tmp_path / kind).mkdir()
    for name, part in zip(BATCHES, rows, strict=True):
        part.tofile(tmp_path / "binary" / f"{name}.bin")
        batch = {b"labels": part[:, 0].tolist(), b"data": part[:, 1:]}
        (tmp_path / "python" / name).write_bytes(pickle.dumps(batch, protocol=2))
    binary, python = read_folder(tmp_path / "binary"), read_folder(tmp_path / "python")
    assert np.array_equal(binary[0], python[0])
    assert np.array_equal(binary[1], python[1])
    assert binary[0][0, 0, 0].tolist() == rows[0, 0, [1, 1025, 2049]].tolist()


def test_names_point_to_the_original_batch_and_row() -> None:
    names = list_image_names()
    assert (names[0], names[10_001], names[59_999]) == (
        "data_batch_1/00000",
        "data_batch_2/00001",
        "test_batch/09999",
    )
