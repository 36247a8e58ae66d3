"""Finds near-duplicates: first by a perceptual hash, then by their thumbnails, so that plain backgrounds do
not count as similarity.

A copy in another size or quality is recognised by its hash. The next frame of a burst is not: the hand moves a little,
and the hash changes a lot. It is recognised by a larger thumbnail, which matches the other's when shifted a little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.pixels.preprocess import Image

HASH_SIDE, THUMBNAIL_SIDE, DETAIL_SIDE, DCT_SIDE = 8, 12, 24, 32
MAX_HASH_DISTANCE = 8  # of 64 bits
MAX_THUMBNAIL_DIFFERENCE = 6.0  # mean of 0..255, after taking off each image's own mean
# Among 1,500 photos of clothing no two different ones were this similar, at any distance of their hashes up to 20.
MOVED_HASH_DISTANCE, MOVED_LIKENESS, MOST_SHIFT = 16, 0.97, 2
CHUNK = 64
GREY_DIFFERENCE = 2.0
_NUM_ONES = np.array([bin(value).count("1") for value in range(256)], np.uint8)


@dataclass(frozen=True)
class ImageFacts:
    """What a decoded image looks like: size in pixels, 64-bit hash, (12, 12, 3) thumbnail bytes, grey or colour.

    ``oddities`` are words about its file: alpha, animated, deep (16 bits), turned (by EXIF). ``detail`` is a
    (24, 24, 3) thumbnail, in which moved images are found.
    """

    height: int
    width: int
    hash: int
    thumbnail: bytes
    grey: bool
    oddities: tuple[str, ...] = ()
    detail: bytes = b""


@dataclass(frozen=True)
class Sighting:
    """One image of a data set: its readable name, its class, and what it looks like."""

    name: str
    label: str
    facts: ImageFacts


def describe_image(frame: Image, oddities: tuple[str, ...] = ()) -> ImageFacts:
    """The facts of a (h, w, 3) uint8 BGR image."""
    small = cv2.resize(frame, (DCT_SIDE, DCT_SIDE), interpolation=cv2.INTER_AREA)
    thumbnail = cv2.resize(small, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    detail = cv2.resize(small, (DETAIL_SIDE, DETAIL_SIDE), interpolation=cv2.INTER_AREA)
    channels = small.astype(np.float32)
    grey = bool((channels.max(axis=2) - channels.min(axis=2)).mean() < GREY_DIFFERENCE)
    code = perceptual_hash(cast(Image, small))
    return ImageFacts(frame.shape[0], frame.shape[1], code, thumbnail.tobytes(), grey, oddities, detail.tobytes())


def perceptual_hash(small: Image) -> int:
    """64 bits: which of the lowest 8 x 8 cosine frequencies of (32, 32, 3) uint8 BGR pixels are above their median."""
    frequencies = cv2.dct(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32))[:HASH_SIDE, :HASH_SIDE]
    bits = frequencies.ravel() > np.median(frequencies.ravel()[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def find_near_duplicates(images: Sequence[Sighting]) -> Iterator[tuple[Sighting, Sighting]]:
    """Every pair of near-duplicates, in the order of the images; memory for a slice of them at a time."""
    hashes = np.array([image.facts.hash for image in images], np.uint64)
    for start in range(0, len(images), CHUNK):
        rows = hashes[start : start + CHUNK, None] ^ hashes[None, start:]
        distances = _NUM_ONES[rows.view(np.uint8)].reshape(*rows.shape, 8).sum(axis=2)
        for row, column in np.argwhere(distances <= MOVED_HASH_DISTANCE).tolist():
            first, second = images[start + row], images[start + column]
            if column > row and _are_near_duplicates(first.facts, second.facts, int(distances[row, column])):
                yield first, second


def group_near_duplicates(images: Sequence[Sighting]) -> list[int]:
    """For each image the index of the first one that it looks like, directly or through others; its own if none."""
    place = {image.name: index for index, image in enumerate(images)}
    parents = list(range(len(images)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for first, second in find_near_duplicates(images):
        low, high = sorted((root(place[first.name]), root(place[second.name])))
        parents[high] = low
    return [root(index) for index in range(len(images))]


def _are_near_duplicates(first: ImageFacts, second: ImageFacts, distance: int) -> bool:
    if distance <= MAX_HASH_DISTANCE:
        difference = np.abs(_subtract_mean(first.thumbnail) - _subtract_mean(second.thumbnail)).mean()
        if difference <= MAX_THUMBNAIL_DIFFERENCE:
            return True
    shape = (DETAIL_SIDE, DETAIL_SIDE, 3)
    whole, other = (np.frombuffer(facts.detail, np.uint8).reshape(shape) for facts in (first, second))
    # Searches for the middle of one around the middle of the other; colours count, brightness and contrast do not.
    middle = np.ascontiguousarray(other[MOST_SHIFT:-MOST_SHIFT, MOST_SHIFT:-MOST_SHIFT])
    if middle.std() == 0:
        return False
    return bool(cv2.matchTemplate(whole, middle, cv2.TM_CCOEFF_NORMED).max() >= MOVED_LIKENESS)


def _subtract_mean(thumbnail: bytes) -> NDArray[np.float32]:
    values = np.frombuffer(thumbnail, np.uint8).astype(np.float32)
    return cast(NDArray[np.float32], values - values.mean())
