"""Groups frames that look the same to the eye, and says what the model takes each group for and how unusual it is.

A person labels a group with one key, so groups must be pure: an object that fills one cell of the thumbnail separates
two frames, however similar their backgrounds, and every member resembles the first one, not a chain of others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from train.datasets.near_duplicates import MAX_HASH_DISTANCE, MAX_THUMBNAIL_DIFFERENCE, THUMBNAIL_SIDE
from train.sort.index import IndexedImage

# Of 0..255, in any colour of any cell, after taking off each frame's own mean.
MAX_CELL_DIFFERENCE = 24.0
_NUM_ONES = np.array([bin(value).count("1") for value in range(256)], np.uint8)

Looks = NDArray[np.float32]


def describe_looks(images: Sequence[IndexedImage]) -> Looks:
    """(n, 144, 3) float32 BGR thumbnails 0..255, each around its own mean."""
    rows = np.frombuffer(b"".join(image.colours or b"" for image in images), np.uint8)
    values = rows.reshape(-1, THUMBNAIL_SIDE * THUMBNAIL_SIDE, 3).astype(np.float32)
    return cast(Looks, values - values.mean(axis=(1, 2), keepdims=True))


def group(images: Sequence[IndexedImage]) -> list[int]:
    """For each readable image the index of the first one of its group, its own where it stands alone."""
    looks = describe_looks(images)
    hashes = np.array([image.hash for image in images], np.uint64)
    leaders: list[int] = []
    # Grown by doubling, so that a new leader costs no copy of all.
    rows, codes = np.empty((64, *looks.shape[1:]), np.float32), np.empty(64, np.uint64)
    owners = []
    for index in range(len(images)):
        num = len(leaders)
        bits = (codes[:num] ^ hashes[index]).view(np.uint8).reshape(num, 8)
        near = np.flatnonzero(_NUM_ONES[bits].sum(axis=1) <= MAX_HASH_DISTANCE)
        differences = np.abs(rows[near] - looks[index])
        same = differences.mean(axis=(1, 2)) <= MAX_THUMBNAIL_DIFFERENCE
        same &= differences.max(axis=(1, 2), initial=0.0) <= MAX_CELL_DIFFERENCE
        found = near[same]
        if len(found):
            owners.append(leaders[int(found[0])])
            continue
        if num == len(rows):
            rows, codes = np.concatenate([rows, rows]), np.concatenate([codes, codes])
        rows[num], codes[num] = looks[index], hashes[index]
        leaders.append(index)
        owners.append(index)
    return owners


def suggestion(members: Iterable[Mapping[str, float]], labels: Sequence[str]) -> tuple[str, float]:
    """The one of ``labels`` that the members' scores speak for most, and its mean score in [0, 1]; "" for none."""
    scores = [scores for scores in members if scores]
    total: defaultdict[str, float] = defaultdict(float)
    for row in scores:
        for label, score in row.items():
            if label in labels:
                total[label] += score
    if not total:
        return "", 0.0
    label, value = max(total.items(), key=lambda item: (item[1], item[0]))
    return label, value / len(scores)


def strangeness(frames: Looks, known: Looks) -> list[float]:
    """How far each frame is from what looks most like it among ``known``, mean of 0..255; 0 for all without any."""
    if not len(known):
        return [0.0] * len(frames)
    a, b = (rows.reshape(len(rows), -1) for rows in (frames, known))
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None] - 2 * (a @ b.T)
    nearest = np.sqrt(np.maximum(squares.min(axis=1), 0.0) / a.shape[1])
    return [float(value) for value in nearest]
