"""Augmentation moves, mirrors and mixes whole pixels and says the truth about the targets."""

from __future__ import annotations

import numpy as np

from train.recipes.config import adam
from train.scratch.augment import augment, crop_and_flip, cutmix, cutout, mixup


def make_images(num: int = 6) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (num, 8, 8, 3), np.uint8)


def targets(num: int = 6) -> np.ndarray:
    return np.eye(num, dtype=np.float32)


def test_a_recipe_without_augmentation_leaves_images_and_targets_alone() -> None:
    images, wanted = augment(make_images(), targets(), adam(), np.random.default_rng(0))
    assert np.array_equal(images, make_images())
    assert np.array_equal(wanted, targets())


def test_without_padding_an_image_is_either_itself_or_its_mirror_image() -> None:
    out = crop_and_flip(make_images(40), 0, flip=True, rng=np.random.default_rng(0))
    same = [np.array_equal(a, b) for a, b in zip(out, make_images(40), strict=True)]
    mirrored = [np.array_equal(a, b[:, ::-1]) for a, b in zip(out, make_images(40), strict=True)]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    assert 10 < sum(mirrored) < 30


def test_a_shift_is_a_window_of_the_mirrored_image() -> None:
    image = np.arange(27, dtype=np.uint8).reshape(1, 3, 3, 3)
    out = crop_and_flip(image, 1, flip=False, rng=np.random.default_rng(3))
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    windows = [padded[0, y : y + 3, x : x + 3] for y in range(3) for x in range(3)]
    assert any(np.array_equal(out[0], window) for window in windows)


def test_the_same_generator_state_gives_the_same_batch() -> None:
    first = crop_and_flip(make_images(), 2, flip=True, rng=np.random.default_rng([1, 2]))
    assert np.array_equal(first, crop_and_flip(make_images(), 2, flip=True, rng=np.random.default_rng([1, 2])))


def test_cutout_paints_one_grey_square_and_keeps_the_input() -> None:
    white = np.full((20, 8, 8, 3), 255, np.uint8)
    out = cutout(white, 4, np.random.default_rng(0))
    grey = (out == 127).all(axis=3).sum(axis=(1, 2))
    assert grey.min() >= 4
    assert grey.max() == 16
    assert ((out == 127) | (out == 255)).all()
    assert (white == 255).all()


def test_mixup_blends_images_and_targets_by_the_same_share() -> None:
    images = np.zeros((2, 4, 4, 3), np.uint8)
    images[1] = 200
    mixed, wanted = mixup(images, targets(2), 1.0, np.random.default_rng(1))
    assert np.allclose(wanted.sum(axis=1), 1)
    assert np.allclose(mixed[:, 0, 0, 0], 200 * wanted[:, 1], atol=0.51)


def test_cutmix_gives_each_target_the_area_that_its_image_kept() -> None:
    images = np.zeros((2, 8, 8, 3), np.uint8)
    images[1] = 200
    for seed in range(20):
        mixed, wanted = cutmix(images, targets(2), 1.0, np.random.default_rng(seed))
        assert np.allclose((mixed[..., 0] == 200).mean(axis=(1, 2)), wanted[:, 1], atol=1e-6)
