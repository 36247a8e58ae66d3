"""Images that belong to none of the classes and need no download: empty scenes and scrambled images, to report what
passes; close-ups and warped images as well, to judge whether the neighbours are worth their bytes.

Training uses images like the first two, so on them the score alone looks better than it will on what a camera sees. It
never uses the last two: a model meets them as it meets anything new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np

from convert.inputs.source import ImageEntry
from edge_runtime.model.model_file import open_model
from edge_runtime.pixels.preprocess import Image
from edge_runtime.store.shipped import list_shipped_models

HEIGHT, WIDTH = 240, 320
NUM_EMPTY, NUM_SCRAMBLED, NUM_PHOTOS, NUM_NEVER_SHOWN = 80, 100, 200, 100
_TILES = 3
# How far points of a warped image move, in shorter sides: no object can be recognised, colours and textures stay.
_WARP = 0.18


def make_foreign(entries: Sequence[ImageEntry], labels: Sequence[str], seed: int) -> Mapping[str, list[Image]]:
    """Named lists of images (h, w, 3) uint8 BGR that belong to none of the classes ``labels``; ``entries``, images of
    the classes, are scrambled. The same seed gives the same images.
    """
    random = np.random.default_rng([seed, 7])
    found = {"empty scenes": [make_empty_scene(random, turn) for turn in range(NUM_EMPTY)]}
    chosen = random.permutation(len(entries))[:NUM_SCRAMBLED].tolist()
    found["scrambled images of the classes"] = [scramble(entries[index].read(), random) for index in chosen]
    photos = list(_read_shipped_photos(labels))
    if photos:
        found["enlarged small photos (CIFAR-10)"] = [_cut(photos, random) for _ in range(NUM_PHOTOS)]
    return found


def make_never_shown(entries: Sequence[ImageEntry], seed: int) -> Mapping[str, list[Image]]:
    """Named lists of images (h, w, 3) uint8 BGR of kinds that training never uses, made from ``entries``, images of the
    classes. The same seed gives the same images.
    """
    random = np.random.default_rng([seed, 11])
    chosen = random.permutation(len(entries))[:NUM_NEVER_SHOWN].tolist()
    close_ups, warped = [], []
    for index in chosen:
        image = entries[index].read()
        close_ups.append(cut_close_up(image, random))
        warped.append(warp(_shrink(image), random))
    return {"close-ups of the classes": close_ups, "warped images of the classes": warped}


def cut_close_up(image: Image, random: np.random.Generator) -> Image:
    """(240, 240, 3) uint8: a square of 12 to 30 % of the shorter side, enlarged: a texture without its object."""
    height, width = image.shape[:2]
    side = min(height, width, max(8, round(min(height, width) * random.uniform(0.12, 0.3))))
    top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
    part = np.ascontiguousarray(image[top : top + side, left : left + side])
    enlarged: Image = cv2.resize(part, (HEIGHT, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    return enlarged


def warp(image: Image, random: np.random.Generator) -> Image:
    """The (h, w, 3) ``image`` as if on cloth that was pulled about: its colours and textures, but no shape."""
    height, width = image.shape[:2]
    reach = _WARP * min(height, width)
    moved = [
        cv2.resize(
            random.normal(0, reach, (5, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        ).astype(np.float32)
        for _ in range(2)
    ]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    warped: Image = cv2.remap(
        np.ascontiguousarray(image), columns + moved[0], rows + moved[1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    ).astype(np.uint8)  # fmt: skip
    return warped


def _shrink(image: Image) -> Image:
    factor = HEIGHT / min(image.shape[:2])
    if factor >= 1:
        return image
    shrunk: Image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return shrunk


def make_empty_scene(random: np.random.Generator, turn: int) -> Image:
    """(240, 320, 3) uint8 BGR: a plain colour, a gradient, clouds or noise, by ``turn``, with some sensor noise."""
    colors = random.uniform(0, 255, (4, 3))
    if turn % 4 == 0:
        image = np.broadcast_to(colors[0], (HEIGHT, WIDTH, 3))
    elif turn % 4 == 1:
        image = cv2.resize(colors.reshape(2, 2, 3).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    else:
        coarse = random.uniform(0, 255, (6, 8, 3) if turn % 4 == 2 else (60, 80, 3)).astype(np.float32)
        image = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    noisy = image + random.normal(0, random.uniform(0, 8), (HEIGHT, WIDTH, 3))
    scene: Image = noisy.clip(0, 255).astype(np.uint8)
    return scene


def scramble(image: Image, random: np.random.Generator) -> Image:
    """The (h, w, 3) ``image`` with its nine tiles in another order: its colours and textures, but no object."""
    height, width = (max(1, side // _TILES) for side in image.shape[:2])
    places = [(row * height, column * width) for row in range(_TILES) for column in range(_TILES)]
    scrambled = np.ascontiguousarray(image)
    whole = scrambled.shape[0] >= _TILES and scrambled.shape[1] >= _TILES
    if not whole:
        return scrambled
    order = np.roll(random.permutation(len(places)), 1)
    scrambled = scrambled[: _TILES * height, : _TILES * width].copy()
    for (top, left), source in zip(places, order.tolist(), strict=True):
        from_top, from_left = places[source]
        scrambled[top : top + height, left : left + width] = image[
            from_top : from_top + height, from_left : from_left + width
        ]
    return scrambled


def _read_shipped_photos(labels: Sequence[str]) -> Iterator[Image]:
    """The images in the models that ship with edge_runtime, but those that they take for one of ``labels``."""
    for path in list_shipped_models().values():
        model = open_model(path)
        if model.goldens is None:
            continue
        for image, answer in zip(model.goldens.images, model.goldens.outputs.argmax(axis=1).tolist(), strict=True):
            if model.contract.spec.labels[answer] not in labels:
                yield image


def _cut(photos: Sequence[Image], random: np.random.Generator) -> Image:
    """A part of 60 to 100 % of one of the photos, mirrored or not, 240 pixels high."""
    photo = photos[int(random.integers(len(photos)))]
    share = random.uniform(0.6, 1.0)
    height, width = (max(2, round(side * share)) for side in photo.shape[:2])
    top, left = (
        int(random.integers(side - part + 1)) for side, part in zip(photo.shape, (height, width), strict=False)
    )
    part = photo[top : top + height, left : left + width]
    part = part[:, ::-1] if random.random() < 0.5 else part
    size_wh = round(HEIGHT * width / height), HEIGHT
    enlarged: Image = cv2.resize(np.ascontiguousarray(part), size_wh, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    return enlarged
