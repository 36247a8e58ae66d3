"""Draws where the integer model looked in images that it got wrong, with the device's own code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edge_runtime.inference.classifier import Classifier
from edge_runtime.pixels.heat import draw_heat
from edge_runtime.pixels.preprocess import Image


def draw_where_it_looked(classifier: Classifier, names: Iterable[str], images: Mapping[str, Image]) -> dict[str, Image]:
    """For each of ``names`` found in ``images``, (h, w, 3) uint8 BGR, the image overlaid with where ``classifier``,
    opened with maps, looked for its best class; empty for a model whose structure does not tell.
    """
    drawn: dict[str, Image] = {}
    for name in names:
        if name in images and classifier.has_maps:
            index = classifier.classify(images[name]).index
            drawn[name] = draw_heat(images[name], classifier.last_map(index).shares(), classifier.input_spec)
    return drawn
