"""Have I enough images? What heads learn from 25, 50, 75 and 100 % of them, judged on images that they did not see.

The head alone, on features of the frozen network: seconds. Near-duplicates count as one image, and stay together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.metrics import paired_difference_interval, wilson_interval
from train.transfer.head_choice import ENOUGH_IMAGES, HeadSettings, Labels, Views

SHARES = (0.25, 0.5, 0.75, 1.0)
_HALF, _ALL = SHARES.index(0.5), SHARES.index(1.0)
NUM_FOLDS = 3
# The gain from the second half of the images that makes more of them worth the work.
LEAST_GAIN = 0.01


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """``right`` (shares, judged images) says who was right; ``labels`` (judged images,) are theirs. ``num_different``
    images were learnt from at each share, counted without near-duplicates; ``num_folds`` is 1 where a validation split
    judged.
    """

    right: NDArray[np.bool_]
    labels: Labels
    num_different: tuple[int, ...]
    num_folds: int

    @property
    def accuracies(self) -> tuple[float, ...]:
        """In [0, 1], at each of `SHARES`."""
        return tuple(self.right.mean(axis=1).tolist())

    def gain(self, label: int | None = None) -> tuple[float, float, float]:
        """What the second half of the images brought to the class ``label`` (None: to all), with its 95 % interval.

        No interval but (0, -1, 1) for a class without judged images.
        """
        own = np.ones(len(self.labels), bool) if label is None else self.labels == label
        if not own.any():
            return 0.0, -1.0, 1.0
        half, whole = self.right[_HALF, own], self.right[_ALL, own]
        won, lost = int((whole & ~half).sum()), int((half & ~whole).sum())
        return (won - lost) / len(whole), *paired_difference_interval(won, lost, len(whole))

    def facts(self, names: Sequence[str]) -> dict[str, Any]:
        """What was found, as plain JSON values; ``names`` are the classes'."""
        num = len(self.labels)
        return {
            "shares": list(SHARES),
            "num_different": list(self.num_different),
            "accuracy": list(self.accuracies),
            "interval": [list(wilson_interval(int(row.sum()), num)) for row in self.right],
            "num_images": num,
            "num_folds": self.num_folds,
            "gain": list(self.gain()),
            "class_gain": {name: list(self.gain(index)) for index, name in enumerate(names)},
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """What the curve says about more images, for people."""
        gain, low, high = self.gain()
        rates = ", ".join(f"{rate:.1%}" for rate in self.accuracies)
        counts = ", ".join(map(str, self.num_different))
        found = f"the head alone, learnt from {counts} different images: {rates} of {len(self.labels)} are right"
        between = (
            f"the second half brought {100 * gain:+.1f} points, 95 % interval {100 * low:+.1f} to {100 * high:+.1f}"
        )
        if low > 0 and gain >= LEAST_GAIN:
            return f"{found}; more images would help ({between})"
        if high < LEAST_GAIN:
            return f"{found}; more images like these would hardly help ({between})"
        return f"{found}; these images cannot tell whether more would help ({between})"


def measure_learning_curve(
    training: Views, validation: Views, groups: Sequence[int], settings: HeadSettings, *, mirrored: bool
) -> LearningCurve:
    """The LearningCurve; ``groups`` has a number for each training image, the same for near-duplicates.

    Each larger subset holds the smaller ones. A small validation split judges nothing: all images do, in turn.
    """
    of_training = np.asarray(groups, np.int64)
    if len(validation.labels) >= ENOUGH_IMAGES:
        order = _order_groups(training.labels, of_training, settings.seed)
        right, num = _learn(training, validation, of_training, order, settings, mirrored=mirrored)
        return LearningCurve(right, validation.labels, num, 1)
    everything = Views(
        np.concatenate([training.features, validation.features]), np.concatenate([training.labels, validation.labels])
    )
    of_all = np.concatenate([of_training, of_training.max() + 1 + np.arange(len(validation.labels))])
    order = _order_groups(everything.labels, of_all, settings.seed)
    turn = _deal_out(order, everything.labels, of_all)
    turns = np.array([turn[group] for group in of_all.tolist()])
    rows, judged, counts = [], [], []
    for fold in range(NUM_FOLDS):
        inside, outside = np.flatnonzero(turns != fold), np.flatnonzero(turns == fold)
        kept = np.array([group for group in order.tolist() if turn[group] != fold])
        right, num = _learn(
            everything.pick(inside), everything.pick(outside), of_all[inside], kept, settings, mirrored=mirrored
        )
        rows.append(right)
        judged.append(everything.labels[outside])
        counts.append(num)
    average = tuple(round(sum(column) / NUM_FOLDS) for column in zip(*counts, strict=True))
    return LearningCurve(np.concatenate(rows, axis=1), np.concatenate(judged), average, NUM_FOLDS)


def _order_groups(labels: Labels, groups: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Every group once, in an order in which each stretch holds its share of each class."""
    found, first = np.unique(groups, return_index=True)
    classes = labels[first]
    shuffled = np.random.default_rng([seed, len(found)]).permutation(len(found))
    place = np.empty(len(found))
    for label in np.unique(classes):
        own = shuffled[classes[shuffled] == label]
        place[own] = (np.arange(len(own)) + 0.5) / len(own)
    return found[np.argsort(place, kind="stable")]


def _deal_out(order: NDArray[np.int64], labels: Labels, groups: NDArray[np.int64]) -> dict[int, int]:
    """The fold of each group: each class is dealt out on its own, so that no fold lacks one."""
    found, first = np.unique(groups, return_index=True)
    class_of = dict(zip(found.tolist(), labels[first].tolist(), strict=True))
    seen: Counter[int] = Counter()
    turn = {}
    for group in order.tolist():
        label = class_of[group]
        turn[group] = (seen[label] + label) % NUM_FOLDS
        seen[label] += 1
    return turn


def _learn(
    training: Views, judged: Views, groups: NDArray[np.int64], order: NDArray[np.int64], settings: HeadSettings,
    *, mirrored: bool,
) -> tuple[NDArray[np.bool_], tuple[int, ...]]:  # fmt: skip
    """(shares, judged images) who is right, and how many groups each share learnt from."""
    rows, counts = [], []
    for share in SHARES:
        num = max(1, round(share * len(order)))
        chosen = training.pick(np.flatnonzero(np.isin(groups, order[:num])))
        found = [
            head.logits(judged.features[:, 0]).argmax(axis=1) == judged.labels
            for head in settings.heads(chosen, mirrored=mirrored)
        ]
        # The best strength of decay of each share, as the choice of the head is made too.
        rows.append(max(found, key=lambda right: int(right.sum())))
        counts.append(num)
    return np.stack(rows), tuple(counts)
