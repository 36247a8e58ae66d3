"""Whether a larger size would pay when photos are few: judged before tuning, from features alone.

With few photos the choice of the backbone decides more than tuning does, and heads on features are quickly
cross-validated at both sizes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from edge_runtime.pixels.preprocess import preprocess
from train.datasets.dataset import Dataset, Split
from train.progress import Stage, format_duration
from train.recipes.config import TrainConfig
from train.recipes.transfer_config import SCALES, TransferRecipe
from train.transfer.head_choice import Array, HeadChoice, Views, choose_head

LARGEST = "full"
BATCH_SIZE = 32
# The whole backbone sees some 50 images per second: more images than these would cost more than the advice is worth.
MOST_IMAGES = 1_500
# The advice may take so much of the training's minutes: on a busy machine it would leave none to tune in.
SHARE = 0.2
# From so many batches on, the time of all is foreseen; the first one builds the graph.
ENOUGH_BATCHES = 3
# Smaller differences are no reason for a file four times as large.
LEAST_GAIN = 0.01


def is_asked_for(choice: HeadChoice, recipe: TransferRecipe) -> bool:
    """Whether photos are so few that they were cross-validated, and there is a larger size to speak of."""
    return choice.num_folds > 1 and recipe.scale.name in ("tiny", "small") and choice.num_images <= MOST_IMAGES


class _TooSlowError(Exception):
    """Says how long reading all images would take, and what it may take."""


class _Pace:
    """How fast ``num`` images are read; raises `_TooSlowError` when all of them would take over ``allowed_s``."""

    def __init__(self, allowed_s: float, num: int, now: Callable[[], float]) -> None:
        self._allowed_s, self._num, self._now = allowed_s, num, now
        self._started_s = self._last_s = now()
        self._done = self._batches = 0
        self._later_s, self._later = 0.0, 0

    def read(self, num: int) -> None:
        now_s = self._now()
        if self._batches:
            self._later_s += now_s - self._last_s
            self._later += num
        self._last_s = now_s
        self._done += num
        self._batches += 1
        spent_s = now_s - self._started_s
        left = self._num - self._done
        is_known = self._batches >= ENOUGH_BATCHES
        needed_s = spent_s + (left * self._later_s / self._later if is_known and self._later else 0.0)
        if left and needed_s > self._allowed_s:
            raise _TooSlowError(
                f"its features of {self._num} images would take {'about' if is_known else 'over'} "
                f"{format_duration(needed_s)} here, and {format_duration(self._allowed_s)}, a fifth of --minutes, are "
                "for that; the rest is kept for tuning"
            )


def compare_with_full(
    config: TrainConfig, recipe: TransferRecipe, dataset: Dataset, features: keras.Model, choice: HeadChoice,
    class_weights: Array, stage: Stage, allowed_s: float, now: Callable[[], float],
) -> tuple[str, dict[str, float]]:  # fmt: skip
    """The advice in a sentence, and the cross-validated accuracies behind it by size.

    ``features`` is the whole backbone up to its pooled features, for inputs of the size ``full``. As soon as it turns
    out that reading them takes more than ``allowed_s`` seconds of ``now``, the comparison is left, which the sentence
    says.
    """
    pace = _Pace(allowed_s, len(dataset.train.labels) + len(dataset.validation.labels), now)
    side = SCALES[LARGEST].side
    spec = dataclasses.replace(config.input, height=side, width=side)
    forward = tf.function(lambda images: features(tf.cast(images, tf.float32), training=False), reduce_retracing=True)

    def views(split: Split) -> Views:
        rows = []
        for start in range(0, len(split.labels), BATCH_SIZE):
            indices = range(start, min(start + BATCH_SIZE, len(split.labels)))
            images = np.stack([preprocess(split.frame(index), spec) for index in indices])
            sides = [images, images[:, :, ::-1]] if choice.mirrored else [images, images]
            rows.append(np.stack([forward(tf.constant(np.ascontiguousarray(side))).numpy() for side in sides], axis=1))
            stage.step(len(images))
            pace.read(len(images))
        return Views(np.concatenate(rows), split.labels)

    flip = "on" if choice.mirrored else "off"
    own = choice.accuracy
    try:
        training, validation = views(dataset.train), views(dataset.validation)
    except _TooSlowError as error:
        return f"not compared with the size full: {error}", {recipe.scale.name: own}
    full = choose_head(training, validation, class_weights, config.seed, recipe.label_smoothing, flip).accuracy
    found = (
        f"features alone, cross-validated on {choice.num_images} images: {recipe.scale.name} {own:.1%}, full {full:.1%}"
    )
    if full - own >= LEAST_GAIN:
        sentence = f"{found}; --size full would probably be better, in a file four times as large"
    else:
        sentence = f"{found}; a larger size would hardly help, more images would"
    return sentence, {recipe.scale.name: own, LARGEST: full}
