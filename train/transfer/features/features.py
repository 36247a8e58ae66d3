"""One pass over the photos: decodes each, keeps what tuning needs on disk, and asks the frozen network for features.

Memory stays flat: a batch of images is in memory, everything else is in files.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError
from edge_runtime.pixels.preprocess import Image, preprocess
from train.datasets.cache import cache_folder
from train.datasets.dataset import Split
from train.progress import Stage
from train.training.prefetch import prefetch
from train.transfer.features.feature_cache import FeatureCache
from train.transfer.features.image_store import ImageStore

BATCH_SIZE = 32
# Stored images are this much larger than the input, so that a random crop of them still has its pixels.
ROOM = 1.25
Forward = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class SplitFeatures:
    """The features of one split: row i of ``cache`` under the split's SHA-256; ``store`` are what tuning reads."""

    sha256: tuple[str, ...]
    labels: NDArray[np.int64]
    store: ImageStore
    cache: FeatureCache

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, views, features) float32."""
        found = [self.cache.get(self.sha256[int(index)]) for index in indices]
        known = [row for row in found if row is not None]
        if len(known) < len(found):
            raise DataError(
                f"{len(found) - len(known)} features have gone from {cache_folder()} while they were in use; expected "
                "that nobody else changes that folder: start again."
            )
        return np.stack(known).astype(np.float32).reshape(len(found), 2, -1)


def enlarge(spec: InputSpec) -> InputSpec:
    """The size in which images are kept for random crops."""
    return dataclasses.replace(spec, height=round(spec.height * ROOM), width=round(spec.width * ROOM))


def read_features(
    split: Split, store: ImageStore, stored: InputSpec, cache: FeatureCache, forward: Forward, note: Stage
) -> SplitFeatures:
    """Reads every image of ``split`` once: fills ``store`` in the size of ``stored``, and ``cache`` with features.

    The features of an image are those of its mirror image too: (2, features) float16, in that order.
    """
    sha256 = tuple(split.record(index).sha256 for index in range(len(split.labels)))
    starts = range(0, len(sha256), BATCH_SIZE)
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def batch(start: int) -> list[tuple[str, Image, Image, float]]:
            indices = range(start, min(start + BATCH_SIZE, len(sha256)))
            return list(pool.map(lambda index: _both_sizes(split, index, stored, sha256[index]), indices))

        for images in prefetch(batch(start) for start in starts):
            for _, _, kept, aspect in images:
                store.add(kept, aspect)
            unknown = {digest: image for digest, image, _, _ in images if cache.get(digest) is None}
            if unknown:
                inputs = np.stack(list(unknown.values()))
                views = [forward(tf.constant(view)).numpy() for view in (inputs, inputs[:, :, ::-1])]
                cache.put(list(unknown), np.concatenate(views, axis=1).astype(np.float16))
            note.step(len(images))
    return SplitFeatures(sha256, split.labels, store, cache)


def _both_sizes(split: Split, index: int, stored: InputSpec, digest: str) -> tuple[str, Image, Image, float]:
    frame = split.frame(index)
    image = preprocess(frame, split.input)
    kept = image if stored == split.input else preprocess(frame, stored)
    return digest, image, kept, frame.shape[1] / frame.shape[0]
