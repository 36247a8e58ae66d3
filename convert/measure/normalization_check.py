"""Would another normalisation fit far better? Asks the model as it was loaded, on its test images.

For models that somebody else trained: what they want done to pixels stands nowhere in their file, and a wrong one costs
much and raises no error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convert.inputs.answers import run_model, to_probabilities
from convert.inputs.source import Source, normalize
from convert.output.progress import stage
from edge_runtime.metrics import paired_difference_interval
from edge_runtime.pixels.preprocess import preprocess

# (mean, std) in pixel units: nothing, to 0..1, to -1..1, and what ImageNet's own statistics come to over the channels.
USUAL = ((0.0, 1.0), (0.0, 255.0), (127.5, 127.5), (116.0, 57.7))
MAX_IMAGES = 200
# Less is no reason to doubt what somebody said.
LEAST_GAIN = 0.1


@dataclass(frozen=True)
class BetterNormalization:
    """``(pixel - mean) / std``, and how many of ``num_images`` are right with it and with what was given."""

    mean: float
    std: float
    num_correct: int
    num_correct_given: int
    num_images: int


def find_better_normalization(source: Source) -> BetterNormalization | None:
    """The best of the `USUAL` ones on up to `MAX_IMAGES` labelled test images of ``source``; None unless it gains
    `LEAST_GAIN`, surely.

    Raises: as `ImageEntry.read`.
    """
    num = len(source.test)
    places = np.unique(np.linspace(0, num - 1, min(num, MAX_IMAGES)).round().astype(int)).tolist()
    entries = [source.test[place] for place in places]
    stage("Trying other normalisations")
    images = np.stack([preprocess(entry.read(), source.spec.input) for entry in entries])
    truth = np.array([entry.label for entry in entries])

    def answer(mean: float, std: float) -> NDArray[np.bool_]:
        values = run_model(source.model.network, normalize(images, mean, std))
        right: NDArray[np.bool_] = to_probabilities(values, source.spec.output).argmax(axis=1) == truth
        return right

    given = answer(source.input_mean, source.input_std)
    others = {pair: answer(*pair) for pair in USUAL if pair != (source.input_mean, source.input_std)}
    (mean, std), best = max(others.items(), key=lambda item: int(item[1].sum()))
    low, _ = paired_difference_interval(int((best & ~given).sum()), int((given & ~best).sum()), len(truth))
    if best.mean() - given.mean() < LEAST_GAIN or low <= 0:
        return None
    return BetterNormalization(mean, std, int(best.sum()), int(given.sum()), len(truth))
