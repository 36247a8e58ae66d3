"""Would another normalisation fit far better? Runs the model as loaded on its test images to find out.

For models that someone else trained: their file does not say which normalisation they expect, and a wrong one costs
much accuracy and raises no error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.inputs.adapting import ADAPTING, Pixels, make_weights
from convert.inputs.answers import run_model, to_probabilities
from convert.inputs.source import Source
from convert.output.progress import stage
from edge_runtime.metrics import paired_difference_interval
from edge_runtime.pixels.preprocess import preprocess

# None, 0..1, -1..1, ImageNet's mean and standard deviation as PyTorch has them, and BGR minus the mean.
USUAL = (
    Pixels(),
    Pixels((0.0,), (255.0,)),
    Pixels((127.5,), (127.5,)),
    Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    Pixels((123.68, 116.779, 103.939), channels="bgr"),
)
MAX_IMAGES = 200
# A smaller gain is no reason to doubt what the user gave.
LEAST_GAIN = 0.1


@dataclass(frozen=True)
class BetterNormalization:
    """What fits better, and how many of ``num_images`` are right with it and with the given normalisation."""

    pixels: Pixels
    num_correct: int
    num_correct_given: int
    num_images: int

    @property
    def flags(self) -> str:
        """The flags of `convert` that give it."""
        mean, std = (",".join(f"{value:g}" for value in values) for values in (self.pixels.mean, self.pixels.std))
        channels = "" if self.pixels.channels == "rgb" else f" --channels {self.pixels.channels}"
        return f"--mean {mean} --std {std}{channels}"


def find_better_normalization(source: Source) -> BetterNormalization | None:
    """The best of the `USUAL` ones on up to `MAX_IMAGES` labelled test images of ``source``; None unless it gains
    `LEAST_GAIN`, and significantly.

    Raises: as `ImageEntry.read`.
    """
    num = len(source.test)
    places = np.unique(np.linspace(0, num - 1, min(num, MAX_IMAGES)).round().astype(int)).tolist()
    entries = [source.test[place] for place in places]
    stage("Trying other normalisations")
    images = np.stack([preprocess(entry.read(), source.spec.input) for entry in entries]).astype(np.float32)
    truth = np.array([entry.label for entry in entries])
    network = _find_own_network(source.model.network)

    def answer(pixels: Pixels) -> NDArray[np.bool_]:
        weights, biases = make_weights(pixels, network.input_shape[3])
        values = run_model(network, images @ weights + biases)
        right: NDArray[np.bool_] = to_probabilities(values, source.spec.output).argmax(axis=1) == truth
        return right

    given = answer(source.model.pixels)
    others = {pixels: answer(pixels) for pixels in USUAL if pixels != source.model.pixels}
    pixels, best = max(others.items(), key=lambda item: int(item[1].sum()))
    low, _ = paired_difference_interval(int((best & ~given).sum()), int((given & ~best).sum()), len(truth))
    if best.mean() - given.mean() < LEAST_GAIN or low <= 0:
        return None
    return BetterNormalization(pixels, int(best.sum()), int(given.sum()), len(truth))


def _find_own_network(network: Any) -> Any:
    """The network as it was trained, without what was put in front of it."""
    return network.layers[-1] if len(network.layers) > 1 and network.layers[1].name == ADAPTING else network
