"""The report draws where the model looked in its mistakes; a model that cannot tell has none drawn."""

from __future__ import annotations

import numpy as np

from convert.measure.gallery import Shown
from convert.measure.where_it_looked import draw_where_it_looked
from convert.report.thumbnail_cards import describe_shown
from edge_runtime.inference.classifier import Classifier


def test_a_mistake_is_shown_again_under_where_the_model_looked() -> None:
    classifier = Classifier("default", maps=True)
    images = {name: np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8) for name in ("a", "b")}
    drawn = draw_where_it_looked(classifier, ["a", "gone"], images)
    assert list(drawn) == ["a"] and drawn["a"].shape == (32, 32, 3)
    assert (drawn["a"] != images["a"]).any()
    mistake, other = (Shown(name, "cat", "dog", 0.9) for name in ("a", "b"))
    cards = describe_shown([mistake, other], images, drawn)
    assert draw_where_it_looked(Classifier("default"), ["a"], images) == {}, "it was opened without maps"
    assert [[view.alt for view in card.images] for card in cards] == [["a", "where the model looked in a"], ["b"]]
