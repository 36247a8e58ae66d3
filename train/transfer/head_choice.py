"""Which head, and whether a mirror image is the same thing: decided on images that the heads were not fitted on.

A validation split of a few images decides nothing, so that small folders are cross-validated: each image is judged by a
head that was fitted without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.training.targets import ORDER_STREAM, smooth_targets
from train.transfer.head import Batches, FeatureBatch, Head, fit_heads

HEAD_BATCH = 256
# With fewer validation images, all images are used for both, in turn.
ENOUGH_IMAGES = 150
NUM_FOLDS = 5
# Mirrored views stay unless heads fitted without them are better by more than chance explains.
STANDARD_ERRORS = 2.0

Array = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Views:
    """Features (n, 2, features) float32 of images and of their mirror images, and the images' labels (n,)."""

    features: Array
    labels: Labels

    def pick(self, indices: NDArray[np.int64]) -> Views:
        return Views(self.features[indices], self.labels[indices])


@dataclass(frozen=True)
class CrossValidated:
    """The answers of heads for images they did not see: ``logits`` (n, classes) float32, and the ``labels`` (n,)."""

    logits: Array
    labels: Labels


@dataclass(frozen=True)
class HeadChoice:
    """The head, whether it was fitted on mirror images too, and the evidence.

    ``losses`` are the mean cross-entropies in nats (with mirror images, without), ``accuracies`` alike in [0, 1];
    ``num_images`` were judged, in ``num_folds`` turns (1: the validation split: ``cross_validated`` is None).
    ``decided`` is False when told.
    """

    head: Head
    mirrored: bool
    losses: tuple[float, float]
    accuracies: tuple[float, float]
    num_images: int
    num_folds: int
    decided: bool
    cross_validated: CrossValidated | None = None

    @property
    def accuracy(self) -> float:
        """The accuracy of the chosen head, in [0, 1], on images that it was not fitted on."""
        return self.accuracies[0 if self.mirrored else 1]

    def facts(self) -> dict[str, Any]:
        """What was found, as plain JSON values."""
        return {
            "mirrored": self.mirrored,
            "decided": self.decided,
            "num_images": self.num_images,
            "num_folds": self.num_folds,
            "cross_entropy": {"with": self.losses[0], "without": self.losses[1]},
            "accuracy": {"with": self.accuracies[0], "without": self.accuracies[1]},
        }

    def sentence(self) -> str:
        """What was decided and why, for people."""
        judged = f"{self.num_images} validation images" if self.num_folds == 1 else (
            f"{self.num_images} images, cross-validated in {self.num_folds} folds"
        )  # fmt: skip
        found = f"{self.accuracies[0]:.1%} with, {self.accuracies[1]:.1%} without mirrored views on {judged}"
        if not self.decided:
            return f"mirrored views {'on' if self.mirrored else 'off'}, as --flip says ({found})"
        if self.mirrored:
            return f"mirrored views on: {found}"
        return f"mirrored views off: left and right matter here ({found})"


def choose_head(
    training: Views, validation: Views, class_weights: Array, seed: int, smoothing: float, flip: str
) -> HeadChoice:
    """The best head of several strengths of decay, with mirror images or without as ``flip`` (auto, on, off) says."""
    settings = HeadSettings(class_weights, seed, smoothing)
    folds = _folds(training, validation, seed)
    judged = [_judge(folds, settings, mirrored=mirrored) for mirrored in (True, False)]
    mirrored = {"on": True, "off": False}.get(flip, not _much_better(judged[1].losses, judged[0].losses))
    chosen = judged[0 if mirrored else 1]
    head = chosen.head or settings.heads(training, mirrored=mirrored)[chosen.strength]
    return HeadChoice(
        head,
        mirrored,
        (float(judged[0].losses.mean()), float(judged[1].losses.mean())),
        (judged[0].accuracy, judged[1].accuracy),
        len(chosen.losses),
        len(folds),
        decided=flip == "auto",
        cross_validated=None if len(folds) == 1 else chosen.answers,
    )


@dataclass(frozen=True)
class HeadSettings:
    """How heads are fitted: the weight of each class (classes,), the seed of the batches, label smoothing in [0, 1)."""

    class_weights: Array
    seed: int
    smoothing: float

    def heads(self, views: Views, *, mirrored: bool) -> list[Head]:
        """One head per strength of decay, fitted on ``views``, with their mirror images too if ``mirrored``."""
        return fit_heads(self._batches(views, mirrored=mirrored), len(self.class_weights))

    def _batches(self, views: Views, *, mirrored: bool) -> Batches:
        num, num_classes = len(views.labels), len(self.class_weights)

        def batches(count: int) -> Iterator[FeatureBatch]:
            rng = np.random.default_rng([self.seed, ORDER_STREAM])
            for _ in range(count):
                indices = rng.choice(num, min(HEAD_BATCH, num), replace=False)
                sides = rng.integers(0, 2 if mirrored else 1, len(indices))
                labels = views.labels[indices]
                targets = smooth_targets(labels, num_classes, self.smoothing)
                yield views.features[indices, sides], targets, self.class_weights[labels]

        return batches


@dataclass(frozen=True)
class _Judged:
    """Of the best strength of decay: each judged image's loss, their accuracy; the head where one judged them all; and
    what was said.
    """

    strength: int
    losses: NDArray[np.float64]
    accuracy: float
    head: Head | None
    answers: CrossValidated


def _folds(training: Views, validation: Views, seed: int) -> list[tuple[Views, Views]]:
    """(fitted on, judged on) pairs."""
    if len(validation.labels) >= ENOUGH_IMAGES:
        return [(training, validation)]
    everything = Views(
        np.concatenate([training.features, validation.features]), np.concatenate([training.labels, validation.labels])
    )
    # Dealt out class by class, so that every fold has its share of each.
    order = np.argsort(np.random.default_rng(seed).permutation(len(everything.labels)), kind="stable")
    order = order[np.argsort(everything.labels[order], kind="stable")]
    turn = np.empty(len(order), np.int64)
    turn[order] = np.arange(len(order)) % NUM_FOLDS
    return [
        (everything.pick(np.flatnonzero(turn != fold)), everything.pick(np.flatnonzero(turn == fold)))
        for fold in range(NUM_FOLDS)
    ]


def _judge(folds: list[tuple[Views, Views]], settings: HeadSettings, *, mirrored: bool) -> _Judged:
    by_fold = [settings.heads(fitted_on, mirrored=mirrored) for fitted_on, _ in folds]
    results = []
    for strength, heads in enumerate(zip(*by_fold, strict=True)):
        logits = [head.logits(judged.features[:, 0]) for head, (_, judged) in zip(heads, folds, strict=True)]
        labels = np.concatenate([judged.labels for _, judged in folds])
        whole = np.concatenate(logits)
        right = float(np.mean(whole.argmax(axis=1) == labels))
        head = heads[0] if len(folds) == 1 else None
        results.append(_Judged(strength, compute_losses(whole, labels), right, head, CrossValidated(whole, labels)))
    return min(results, key=lambda judged: float(judged.losses.mean()))


def compute_losses(logits: Array, labels: Labels) -> NDArray[np.float64]:
    """(n,) negative log-probabilities of the labels, in nats."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    result: NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
    return result


def _much_better(losses: NDArray[np.float64], others: NDArray[np.float64]) -> bool:
    """Whether ``losses`` are below ``others`` of the same images by more than STANDARD_ERRORS of their difference."""
    gains = others - losses
    error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.inf
    return bool(gains.mean() > STANDARD_ERRORS * error)
