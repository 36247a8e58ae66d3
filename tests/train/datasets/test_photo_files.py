"""Images and features live in files that keep exactly what was put in, and ignore what is damaged."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.errors import InternalError
from train.datasets.cache import cache_folder
from train.recipes.transfer_config import transfer, with_changes
from train.transfer.features import feature_cache
from train.transfer.features.feature_cache import FeatureCache
from train.transfer.features.image_store import ImageStore
from train.transfer.scenes.varying import vary


def image(seed: int, height: int = 20, width: int = 30) -> np.ndarray:
    patches = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    return cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_lossless_store_gives_every_pixel_back_in_any_order(tmp_path: Path) -> None:
    with ImageStore(tmp_path / "new", "lossless") as store:
        for seed in range(5):
            store.add(image(seed))
        assert len(store) == 5
        np.testing.assert_array_equal(store.batch([3, 0]), np.stack([image(3), image(0)]))


def test_a_small_store_is_close_and_smaller(tmp_path: Path) -> None:
    with ImageStore(tmp_path, "small") as store:
        store.add(image(1, 200, 200))
        assert np.abs(store.read(0).astype(int) - image(1, 200, 200)).mean() < 2


def test_a_store_leaves_no_file_behind(tmp_path: Path) -> None:
    store = ImageStore(tmp_path, "small")
    store.add(image(1))
    assert list(tmp_path.iterdir()) == []
    store.close()


def test_a_store_whose_file_was_cut_says_so(tmp_path: Path) -> None:
    with ImageStore(tmp_path, "small") as store:
        store.add(image(1))
        os.ftruncate(store._file.fileno(), 10)
        with pytest.raises(InternalError, match=r"Image 0 of the store cannot be decoded; its file was changed"):
            store.read(0)


def rows(num: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((num, 6)).astype(np.float16)


def test_features_are_known_again_by_the_content_of_the_image(tmp_path: Path) -> None:
    first = FeatureCache(tmp_path, "network", 6)
    first.put([digest("a"), digest("b")], rows(2))
    first.close()
    second = FeatureCache(tmp_path, "network", 6)
    assert len(second) == 2
    np.testing.assert_array_equal(second.get(digest("b")), rows(2)[1])
    assert second.get(digest("c")) is None
    second.close()


def test_another_network_knows_none_of_them(tmp_path: Path) -> None:
    first = FeatureCache(tmp_path, "network", 6)
    first.put([digest("a")], rows(1))
    other = FeatureCache(tmp_path, "another", 6)
    assert other.get(digest("a")) is None
    first.close()
    other.close()


def test_a_damaged_record_is_forgotten_and_a_cut_one_replaced(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, "network", 6)
    cache.put([digest("a"), digest("b"), digest("c")], rows(3))
    cache.close()
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[35] ^= 1
    file.write_bytes(content[:-5])
    cache = FeatureCache(tmp_path, "network", 6)
    assert cache.get(digest("a")) is None
    assert cache.get(digest("c")) is None
    np.testing.assert_array_equal(cache.get(digest("b")), rows(3)[1])
    cache.put([digest("c")], rows(1, seed=7))
    np.testing.assert_array_equal(cache.get(digest("c")), rows(1, seed=7)[0])
    cache.close()


def test_a_full_cache_starts_anew_when_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = FeatureCache(tmp_path, "network", 6)
    cache.put([digest("a"), digest("b")], rows(2))
    cache.close()
    monkeypatch.setattr(feature_cache, "MAX_BYTES", 50)
    cache = FeatureCache(tmp_path, "network", 6)
    assert len(cache) == 0
    cache.put([digest("x"), digest("y")], rows(2))
    assert cache.get(digest("x")) is not None
    cache.close()


def test_the_cache_lies_in_the_user_s_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "edge-runtime"


def test_a_varied_photo_has_the_input_s_size_and_depends_on_its_seed_alone() -> None:
    recipe = transfer("tiny")
    first, again, other = (
        vary(image(1, 40, 40), 32, 24, recipe, np.random.default_rng(s), mirrored=True) for s in (5, 5, 6)
    )
    assert (first.shape, first.dtype) == ((32, 24, 3), np.dtype(np.uint8))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 1


def test_without_variation_a_photo_is_only_resized() -> None:
    recipe = with_changes(transfer("tiny"), {"crop_area": 1.0, "jitter": 0.0})
    same = image(1, 32, 32)
    rng = np.random.default_rng(0)
    varied = [vary(same, 32, 32, recipe, rng, mirrored=False) for _ in range(20)]
    # An aspect of its own may still cut a strip; half of the draws must leave most of the image where it was.
    assert np.median([np.abs(image.astype(int) - same).mean() for image in varied]) < 40


def test_light_changes_keep_a_grey_image_grey() -> None:
    recipe = with_changes(transfer("tiny"), {"jitter": 0.4})
    grey = np.full((16, 16, 3), 100, np.uint8)
    changed = vary(grey, 16, 16, recipe, np.random.default_rng(3), mirrored=False)
    assert np.ptp(changed) <= 1
    assert changed.mean() != pytest.approx(100, abs=0.5)
