"""Finds the stair that lost bits leave in a JPEG: from some block on, everything is brighter or has another hue.

For each block a JPEG stores how much its mean differs from the previous block's. A decoder that misreads one such
number does not notice, and all later blocks in the order of the scan are off by the same amount, up to the end of the
image or the next restart marker. So between rows of blocks the colour jumps by one amount along exactly one row's
length: in one line from some column on, and in the line below it up to that column. Edges of objects do not do that;
edges that run straight from side to side are damage only if the same texture continues across them.

Pure: pixels in, an answer out. Nothing is decoded again, and only the pixels beside the lines are read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.pixels.jpeg import ScanLayout
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image

Floats = NDArray[np.float32]

# A jump smaller than this, of 255, does not affect a label and occurs in every image.
LEAST_JUMP = 6.0
# How far a jump must stand out: its height relative to the usual one, times its constancy, times the square root of its
# length.
LEAST_CONTRAST, STRAIGHT_CONTRAST = 7.0, 20.0
CLEAR_CONTRAST = 15.0
# The share of the blocks along the stair that must jump alike, and the largest share of those beside its ends that may.
LEAST_SHARE, STRAIGHT_SHARE, MOST_BESIDE = 0.6, 0.7, 0.34
# If the texture continues across the stair, one of its two lines may show it less clearly.
TEXTURED_SHARE = 0.45
# How alike the texture must be on both sides of a straight edge (correlation), and how gradual that edge may be (as a
# share of the jump).
LEAST_LIKENESS, MOST_SLOPE = 0.6, 0.5
# Where colours are stored at half size a decoder smooths jumps that are only in hue; then texture must decide: more
# likeness allows this much more slope.
SLOPE_FOR_LIKENESS = 2.5
SMOOTHED_HEIGHT = 16
# Texture changes at least this much from block to block, and about equally on both sides (ratio of the squares).
LEAST_TEXTURE, MOST_FADING = 1.5, 1.8
# A shade is a change that a factor describes this much better than an amount does (ratio of the mean errors).
SHADE_FIT = 0.8
NUM_CANDIDATES = 3
# A large image is examined this many groups of blocks at a time, with this many lines of overlap.
STRIP_BLOCKS, STRIP_OVERLAP = 16_384, 3
# Fewer blocks than this may be alike by chance.
LEAST_LENGTH = 8
_CLIP = 64.0
# Near black and white a decoder clips, and part of the jump is lost.
_DARK, _BRIGHT = 4, 251


@dataclass(frozen=True)
class _Lines:
    """The edges of blocks where two rows of blocks meet: (3, n) mean colours above and below, n in the order of the
    scan from the second row on, ``across`` per row, and ``slope``, how much the colour changes from line to line beside
    them.
    """

    above: Floats
    below: Floats
    slope: Floats
    across: int

    def __getitem__(self, place: slice) -> _Lines:
        return _Lines(self.above[:, place], self.below[:, place], self.slope[:, place], self.across)

    def turn_over(self) -> _Lines:
        return _Lines(self.below, self.above, self.slope, self.across)

    def __len__(self) -> int:
        return self.above.shape[1]


@dataclass(frozen=True)
class _Stair:
    """Places among the lines: the colour jumps from ``first`` to before ``end``, and jumps back within ``closing``,
    after the next restart marker; ``closing`` is empty without one.
    """

    first: int
    end: int
    closing: slice


def has_stair(image: Image, layout: ScanLayout) -> bool:
    """Whether ``image``, (h, w, 3) uint8 as stored, not turned, shows the stair of a misread JPEG.

    ``layout`` is that of the decoded image, reduced if the image is. Takes 0.2 to 0.6 of the time of the (reduced)
    decoding, and little memory: a large image is examined in strips.
    """
    height, across = layout.height, image.shape[1] // layout.width
    num_lines = (image.shape[0] - 1) // height
    if across < 4 or num_lines < 2:
        return False
    at_once = max(STRIP_OVERLAP + 1, STRIP_BLOCKS // across)
    for first in range(1, num_lines + 1, at_once - STRIP_OVERLAP):
        lines = _read_lines(image, layout, np.arange(first, min(first + at_once, num_lines + 1)))
        if _has_stair(lines, first * across, layout.restart):
            return True
        if first + at_once > num_lines:
            break
    return False


def _has_stair(lines: _Lines, before: int, restart: int) -> bool:
    """As `has_stair`, within ``lines``, which ``before`` groups of blocks precede."""
    jump = lines.below - lines.above
    lengths = _find_lengths(len(lines), lines.across, before, restart)
    contrast = _measure_contrast(jump, lengths, lines.across)
    for _ in range(NUM_CANDIDATES):
        first = int(np.argmax(contrast))
        if contrast[first] < LEAST_CONTRAST:
            return False
        stair = _place(first, int(lengths[first]), lines.across, before, restart)
        if _is_stair(lines, jump, stair, float(contrast[first])):
            return True
        near = lines.across // 4
        contrast[max(0, first - near) : first + near + 1] = 0
    return False


def _read_lines(image: Image, layout: ScanLayout, rows: NDArray[np.int64]) -> _Lines:
    """The lines above the rows of blocks with the numbers ``rows``."""
    rows, across = rows * layout.height, image.shape[1] // layout.width
    # With blocks of one line, the second line belongs to the next block. Colours stored at half height have been
    # smoothed across the two lines that meet.
    skip, last = int(layout.height >= SMOOTHED_HEIGHT), image.shape[0] - 1
    places = (np.maximum(rows - 2 - skip, 0), rows - 1 - skip, rows + skip, rows + 1 + skip)
    pixels = image[np.minimum(np.concatenate(places), last), : across * layout.width]
    means = cv2.resize(pixels, (across, len(pixels)), interpolation=cv2.INTER_AREA)
    farther, above, below, beyond = np.ascontiguousarray(means.reshape(4, -1, 3).transpose(0, 2, 1), np.float32)
    falling, rising = above - farther, beyond - below
    # A slope in the image continues across the line.
    slope = np.where(np.abs(falling) > np.abs(rising), falling, rising)
    return _Lines(above + falling / 2, below - rising / 2, slope, across)


def _find_lengths(num: int, across: int, before: int, restart: int) -> NDArray[np.int64]:
    """How many blocks a stair that begins at each place has: a row, or less if a restart or the image's end comes
    first.
    """
    places = np.arange(num)
    lengths = np.minimum(across, num - places)
    if restart:
        lengths = np.minimum(lengths, restart - (places + before) % restart)
    return lengths


def _place(first: int, length: int, across: int, before: int, restart: int) -> _Stair:
    closing = slice(0, 0)
    if restart:
        last = -(-(first + before + 1) // restart) * restart - before
        closing = slice(max(last, first + across), last + across)
    return _Stair(first, first + length, closing)


def _measure_contrast(jump: Floats, lengths: NDArray[np.int64], across: int) -> Floats:
    """(n,) how much a stair that begins at each place would stand out."""
    clipped = np.clip(jump, -_CLIP, _CLIP)
    usual = float(np.abs(clipped).mean()) + 1.0
    sums = np.zeros((4, jump.shape[1] + 1))
    np.cumsum(clipped, axis=1, out=sums[:3, 1:])
    np.cumsum(np.einsum("ij,ij->j", clipped, clipped), out=sums[3, 1:])
    ends = sums.take(np.arange(len(lengths)) + lengths, axis=1)
    means = ((ends - sums[:, :-1]) / lengths).astype(np.float32)
    strength = np.einsum("ij,ij->j", means[:3], means[:3])
    contrast: Floats = strength * np.sqrt(strength * lengths) / (means[3] + 0.3 * usual * usual) / usual
    contrast[lengths < max(LEAST_LENGTH, across // 3)] = 0
    return contrast


def _is_stair(lines: _Lines, jump: Floats, stair: _Stair, contrast: float) -> bool:
    first, end, across = stair.first, stair.end, lines.across
    step = np.median(jump[:, first:end], axis=1)[:, None]
    size = float(np.abs(step).max())
    row_start, row_end = first - first % across, min(end, first - first % across + across)
    if size < LEAST_JUMP or _share_alike(jump[:, row_start:first], step, size) > MOST_BESIDE:
        return False
    if _share_alike(jump[:, end : end + across - (end - 1) % across - 1], step, size) > MOST_BESIDE:
        return False
    here = lines[first:end]
    slope = float(np.abs(np.median(here.slope, axis=1)).max()) / size
    likeness = _measure_likeness(here)
    if slope > MOST_SLOPE + SLOPE_FOR_LIKENESS * max(0.0, likeness - LEAST_LIKENESS):
        return False
    upper, num_upper = _count_alike(lines[first:row_end], step)
    lower, num_lower = _count_alike(lines[row_end:end], step)
    goes_on = likeness >= LEAST_LIKENESS
    least = max(2, across // 20) if goes_on else max(3, across // 10)
    if min(num_upper, num_lower) >= least and (upper + lower) / 2 >= LEAST_SHARE:
        is_clear = goes_on and contrast >= CLEAR_CONTRAST
        if min(upper, lower) >= (TEXTURED_SHARE if is_clear else LEAST_SHARE):
            return True
    num = num_upper + num_lower
    share = (upper * num_upper + lower * num_lower) / max(1, num)
    if not goes_on:
        return False
    # Turned over, because here the clipped pixels are above the line.
    back, num_back = _count_alike(lines[stair.closing].turn_over(), step)
    is_long, is_alike = min(num, num_back) >= across // 2, min(share, back) >= LEAST_SHARE
    if is_long and (is_alike or (min(share, back) >= TEXTURED_SHARE and share + back >= 2 * LEAST_SHARE)):
        return True
    is_straight = slope <= MOST_SLOPE and contrast >= STRAIGHT_CONTRAST and share >= STRAIGHT_SHARE
    return is_straight and 3 * num > across and not _is_shade(here, step)


def _is_shade(lines: _Lines, step: Floats) -> bool:
    """Whether the colour changes by a factor rather than an amount: a shadow, or the bar behind a camera's text."""
    jump = lines.below - lines.above
    by_amount = float(np.abs(jump - step).mean())
    above = np.clip(lines.above, 0.0, 255.0)  # carried on to the edge, a colour may lie beyond black or white
    for from_end in (above + 1.0, 256.0 - above):
        part = np.median(jump / from_end, axis=1)[:, None]
        if float(np.abs(jump - part * from_end).mean()) < SHADE_FIT * by_amount:
            return True
    return False


def _share_alike(jump: Floats, step: Floats, size: float) -> float:
    """The share of places at which the colour jumps by about ``step``."""
    if not jump.size:
        return 0.0
    off, whole = np.abs(jump - step).max(axis=0), np.abs(jump).max(axis=0)
    return float((off < 0.5 * np.maximum(whole, size)).mean())


def _count_alike(lines: _Lines, step: Floats) -> tuple[float, int]:
    """As `_share_alike`, among the places that can tell, and how many those are: where black stays black or white stays
    white a jump is invisible, and where it would go beyond them only part of it shows.
    """
    if not len(lines):
        return 0.0, 0
    jump, target, size = lines.below - lines.above, lines.above + step, float(np.abs(step).max())
    is_clipped = ((lines.below < _DARK) & (target < 2 * _DARK)) | ((lines.below > _BRIGHT) & (target > 255 - 2 * _DARK))
    off = np.abs(np.where(is_clipped, 0, jump - step)).max(axis=0)
    is_mute = (is_clipped & (np.abs(jump) < 0.3 * np.abs(step))) | (np.abs(step) < 0.3 * size)
    tells = ~is_mute.all(axis=0)
    alike = off < 0.5 * np.maximum(np.abs(jump).max(axis=0), size)
    num = int(tells.sum())
    return (float(alike[tells].mean()) if num else 0.0), num


def _measure_likeness(lines: _Lines) -> float:
    """The correlation of the changes from block to block on both sides, where nothing is clipped; 0 if there is no
    texture or too much is clipped.
    """
    lowest, highest = np.minimum(lines.above, lines.below).min(axis=0), np.maximum(lines.above, lines.below).max(axis=0)
    is_open = (lowest > _DARK) & (highest < _BRIGHT)
    both = is_open[1:] & is_open[:-1]
    if both.sum() < max(4, 0.3 * len(lines)):
        return 0.0
    upper, lower = (np.diff(each, axis=1)[:, both] for each in (lines.above, lines.below))
    small, large = sorted(float(np.square(each).sum()) for each in (upper, lower))
    texture = min(float(np.median(np.abs(each).max(axis=0))) for each in (upper, lower))
    if texture < LEAST_TEXTURE or large > MOST_FADING * small:
        return 0.0
    return float((upper * lower).sum() / np.sqrt(small * large))
