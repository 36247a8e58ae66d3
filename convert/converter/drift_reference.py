"""Measures what normal images give, with the device's own classifier, so that a device can tell when its frames drift
away from that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convert.inputs.source import ImageEntry
from edge_runtime.contract.drift_reference import PROBABILITIES, DriftReference
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.neighbours import NeighbourTable
from edge_runtime.pixels.light import measure_light
from edge_runtime.pixels.preprocess import preprocess

MAX_IMAGES = 400
# With fewer images, the lowest hundredth means nothing.
LEAST_IMAGES = 50


def measure_drift_reference(
    classifier: Classifier,
    table: NeighbourTable | None,
    held_out: Sequence[ImageEntry],
    background: Sequence[ImageEntry],
) -> DriftReference | None:
    """The quantiles of at most `MAX_IMAGES` of the ``held_out`` images, evenly drawn, and as many of the empty scene;
    None for fewer than `LEAST_IMAGES`. ``table`` holds the neighbours, which must then be in the classifier's contract.
    """
    if len(held_out) < LEAST_IMAGES:
        return None
    scores, similarities, light, sharpness = [], [], [], []
    drawn = [*_draw(held_out), *_draw(background)]
    for entry in drawn:
        frame = entry.read()
        scores.append(float(classifier.probabilities(frame).max()))
        if table is not None:
            similarities.append(table.similarity(classifier.last_features()))
        found = measure_light(preprocess(frame, classifier.input_spec))
        light.append(found.mean)
        sharpness.append(found.sharpness)
    signals = (_list_quantiles(values) for values in (scores, similarities, light, sharpness))
    return DriftReference(len(drawn), *signals)


def _draw(entries: Sequence[ImageEntry]) -> Sequence[ImageEntry]:
    return entries[:: -(-len(entries) // MAX_IMAGES) or 1]


def _list_quantiles(values: Sequence[float]) -> tuple[float, ...]:
    """Rounded, to keep the contract short; empty for no values."""
    if not values:
        return ()
    return tuple(round(value, 4) for value in np.quantile(values, PROBABILITIES).tolist())
