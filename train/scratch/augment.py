"""Random changes to a batch of preprocessed uint8 images; the training split only, never validation or test.

NumPy only and pure: the caller passes the random generator, so a batch depends on nothing but (seed, epoch, batch).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.recipes.config import Recipe
from train.scratch.light import relight
from train.training.targets import Images, Targets


@dataclass(frozen=True)
class Shifts:
    """How far each of n images is moved within its mirrored edges of ``padding`` pixels, and which are mirrored."""

    padding: int
    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    flips: NDArray[np.bool_]

    def pick(self, indices: NDArray[np.int64]) -> Shifts:
        """The shifts of the images at ``indices``, in that order."""
        return Shifts(self.padding, self.tops[indices], self.lefts[indices], self.flips[indices])


def augment(
    images: Images, targets: Targets, recipe: Recipe, rng: np.random.Generator, shifts: Shifts | None = None
) -> tuple[Images, Targets]:
    """New (n, h, w, 3) uint8 RGB images and (n, classes) float32 targets, changed as ``recipe`` says.

    ``shifts`` replace the shifts that would be drawn.
    """
    if shifts is not None:
        images = shift(images, shifts)
    elif recipe.crop_padding or recipe.flip:
        images = crop_and_flip(images, recipe.crop_padding, flip=recipe.flip, rng=rng)
    if recipe.light:
        images = relight(images, recipe.light, rng)
    if recipe.cutout:
        images = cutout(images, recipe.cutout, rng)
    # Mixing twice would leave nothing recognisable: a batch gets one of the two.
    mixers = [(mixup, recipe.mixup), (cutmix, recipe.cutmix)]
    active = [(mixer, alpha) for mixer, alpha in mixers if alpha > 0]
    if active:
        mixer, alpha = active[int(rng.integers(len(active)))]
        images, targets = mixer(images, targets, alpha, rng)
    return images, targets


def crop_and_flip(images: Images, padding: int, *, flip: bool, rng: np.random.Generator) -> Images:
    """Each image shifted by up to ``padding`` pixels (edges mirrored) and, if ``flip``, mirrored half of the time."""
    return shift(images, draw_shifts(len(images), padding, flip=flip, rng=rng))


def draw_shifts(num: int, padding: int, *, flip: bool, rng: np.random.Generator) -> Shifts:
    """For ``num`` images: each offset as likely as any other, and if ``flip``, mirrored half of the time."""
    tops, lefts = rng.integers(0, 2 * padding + 1, (2, num))
    return Shifts(padding, tops, lefts, rng.random(num) < (0.5 if flip else 0.0))


def shift(images: Images, shifts: Shifts) -> Images:
    """The (n, h, w, 3) images moved and mirrored as the n ``shifts`` say."""
    _, height, width, _ = images.shape
    padding = shifts.padding
    padded = np.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)), mode="reflect")
    out = np.empty_like(images)
    for i, (top, left, flip) in enumerate(zip(shifts.tops, shifts.lefts, shifts.flips, strict=True)):
        view = padded[i, top : top + height, left : left + width]
        out[i] = view[:, ::-1] if flip else view
    return out


def cutout(images: Images, size: int, rng: np.random.Generator) -> Images:
    """Each image with one square of ``size`` pixels in mid-grey; the square's centre is anywhere in the image."""
    num, height, width, _ = images.shape
    out = images.copy()
    for i, (y, x) in enumerate(zip(rng.integers(0, height, num), rng.integers(0, width, num), strict=True)):
        top, left = max(0, y - size // 2), max(0, x - size // 2)
        out[i, top : y - size // 2 + size, left : x - size // 2 + size] = 127
    return out


def mixup(images: Images, targets: Targets, alpha: float, rng: np.random.Generator) -> tuple[Images, Targets]:
    """Each image blended with another of the batch, its share drawn from Beta(alpha, alpha); the targets likewise."""
    share = float(rng.beta(alpha, alpha))
    order = rng.permutation(len(images))
    blend = images * np.float32(share) + images[order] * np.float32(1 - share)
    mixed = np.rint(blend).clip(0, 255).astype(np.uint8)
    return mixed, _blend(targets, order, share)


def cutmix(images: Images, targets: Targets, alpha: float, rng: np.random.Generator) -> tuple[Images, Targets]:
    """Each image with a rectangle of another of the batch; targets in proportion to the area that remained."""
    _, height, width, _ = images.shape
    side = np.sqrt(1 - rng.beta(alpha, alpha))
    box_height, box_width = int(height * side), int(width * side)
    top = int(rng.integers(0, height - box_height + 1))
    left = int(rng.integers(0, width - box_width + 1))
    order = rng.permutation(len(images))
    out = images.copy()
    region = np.s_[:, top : top + box_height, left : left + box_width]
    out[region] = images[order][region]
    return out, _blend(targets, order, 1 - box_height * box_width / (height * width))


def _blend(targets: Targets, order: NDArray[np.int64], share: float) -> Targets:
    return targets * np.float32(share) + targets[order] * np.float32(1 - share)
