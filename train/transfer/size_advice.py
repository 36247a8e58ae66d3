"""Whether a larger size would pay when photos are few: judged before tuning, from features alone.

With few photos the choice of the backbone decides more than tuning does, and heads on features are quickly
cross-validated at both sizes.
"""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from edge_runtime.pixels.preprocess import preprocess
from train.datasets.dataset import Dataset, Split
from train.progress import Stage
from train.recipes.config import TrainConfig
from train.recipes.transfer_config import SCALES, TransferRecipe
from train.transfer.head_choice import Array, HeadChoice, Views, choose_head

LARGEST = "full"
BATCH_SIZE = 32
# The whole backbone sees some 50 images per second: more images than these would cost more than the advice is worth.
MOST_IMAGES = 1_500
# Smaller differences are no reason for a file four times as large.
LEAST_GAIN = 0.01


def is_asked_for(choice: HeadChoice, recipe: TransferRecipe) -> bool:
    """Whether photos are so few that they were cross-validated, and there is a larger size to speak of."""
    return choice.num_folds > 1 and recipe.scale.name in ("tiny", "small") and choice.num_images <= MOST_IMAGES


def compare_with_full(
    config: TrainConfig, recipe: TransferRecipe, dataset: Dataset, features: keras.Model, choice: HeadChoice,
    class_weights: Array, stage: Stage,
) -> tuple[str, dict[str, float]]:  # fmt: skip
    """The advice in a sentence, and the cross-validated accuracies behind it by size.

    ``features`` is the whole backbone up to its pooled features, for inputs of the size ``full``.
    """
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
        return Views(np.concatenate(rows), split.labels)

    flip = "on" if choice.mirrored else "off"
    larger = choose_head(
        views(dataset.train), views(dataset.validation), class_weights, config.seed, recipe.label_smoothing, flip
    )
    own, full = choice.accuracy, larger.accuracy
    found = (
        f"features alone, cross-validated on {choice.num_images} images: {recipe.scale.name} {own:.1%}, full {full:.1%}"
    )
    if full - own >= LEAST_GAIN:
        sentence = f"{found}; --size full would probably be better, in a file four times as large"
    else:
        sentence = f"{found}; a larger size would hardly help, more images would"
    return sentence, {recipe.scale.name: own, LARGEST: full}
