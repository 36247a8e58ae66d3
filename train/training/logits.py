"""A network's answers for many images: the same for the scores, the choice of the best epoch and a teacher."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from train.datasets.dataset import Split
from train.training.prefetch import prefetch

EVALUATION_BATCH_PIXELS = 500 * 32 * 32
LARGEST_BATCH = 500
Forward = Callable[[tf.Tensor], tf.Tensor]
Change = Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.uint8]]


def compile_forward(model: keras.Model) -> Forward:
    """The model as one graph: (n, h, w, 3) uint8 -> (n, classes) float32 logits. Tracing it costs about a second."""
    forward: Forward = tf.function(
        lambda images: model(tf.cast(images, tf.float32), training=False), reduce_retracing=True
    )
    return forward


def compute_logits(
    model: keras.Model, split: Split, forward: Forward | None = None, change: Change | None = None
) -> NDArray[np.float32]:
    """The (n, classes) float32 logits of every image of ``split``, in order.

    ``forward`` saves tracing the model again; ``change`` gets each batch, uint8, with its images' indices and returns
    what the model sees instead.
    """
    forward = forward or compile_forward(model)

    def batches() -> Iterable[NDArray[np.uint8]]:
        # As many pixels as in 500 small images: memory must not grow with the size of the input.
        size = max(16, min(LARGEST_BATCH, EVALUATION_BATCH_PIXELS // (split.input.height * split.input.width)))
        for start in range(0, len(split.labels), size):
            indices = np.arange(start, min(start + size, len(split.labels)))
            images = split.read(indices)
            yield images if change is None else change(images, indices)

    return np.concatenate([forward(tf.constant(images)).numpy() for images in prefetch(iter(batches()))])
