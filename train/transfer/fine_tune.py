"""Tunes the pretrained network and its new head on the photos themselves, as long as it helps and there is time.

The rate falls with the share of the steps, or of the time, that is used up, whichever is more: on a fast machine a run
repeats exactly, on a slow one it ends in time with the rate where it should be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.progress import Progress
from train.recipes.transfer_config import TransferRecipe
from train.training.checkpoint import Checkpoint, keep_checkpoint
from train.training.steps import take_steps
from train.training.temperature import cross_entropy, fit_temperature
from train.transfer.batches import CameraViews, PhotoBatch, Photos, draw_photo_batches
from train.transfer.tuner import Tuner

LEAST_WARMUP = 50
# Below this cross-entropy, in nats, with every answer right, more tuning brings nothing that could be measured.
NOTHING_LEFT = 0.01


class Ending(Enum):
    """Why tuning ended, in words."""

    STEPS = "tuning ended: every planned step was taken"
    CLOCK = "tuning ended: the time was up before every planned step was taken; --minutes gives it more"
    PATIENCE = "tuning ended: the last rounds brought no progress"
    NOTHING_LEFT = "tuning ended: every validation image is right, so nothing is left to gain"


@dataclass(frozen=True)
class Tuning:
    """The best weights, one history row per round, the best round (0: the head alone), and why tuning ended."""

    weights: list[NDArray[Any]]
    history: list[dict[str, float]]
    best_round: int
    ending: Ending


@dataclass(frozen=True)
class Clock:
    """``now`` in seconds; tuning has from ``started_s`` to ``deadline_s``."""

    now: Callable[[], float]
    started_s: float
    deadline_s: float

    def used(self) -> float:
        """The share of the time that has passed, in [0, 1]."""
        if self.deadline_s <= self.started_s:
            return 1.0
        return min(1.0, max(0.0, (self.now() - self.started_s) / (self.deadline_s - self.started_s)))


def num_steps(num_images: int, recipe: TransferRecipe) -> int:
    """Steps of the whole tuning when time allows."""
    if recipe.epochs == 0:
        return 0
    return max(recipe.min_steps, recipe.epochs * max(1, num_images // recipe.batch_size))


def compute_rate(used: float, step: int, recipe: TransferRecipe) -> float:
    """The learning rate when this share of the tuning is done: a linear warm-up, then half a cosine to zero.

    However fast the time goes by, the first LEAST_WARMUP steps rise: Adam's first steps are long ones, and a network
    without batch norms does not survive them at the full rate.
    """
    if used < recipe.warmup:
        share = max(used / recipe.warmup, 0.02)
        return recipe.learning_rate * min(share, (step + 1) / LEAST_WARMUP)
    falling = recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (used - recipe.warmup) / (1 - recipe.warmup)))
    return falling * min(1.0, (step + 1) / LEAST_WARMUP)


def tune(
    tuner: Tuner, photos: Photos, seed: int, clock: Clock, progress: Progress, keep: tuple[Path, dict[str, Any]],
    state: Checkpoint | None = None,
) -> Tuning:  # fmt: skip
    """Tunes round by round; a checkpoint is written into ``keep`` = (folder, configuration) after each.

    Raises:
        DataError: the loss became NaN or infinite.
    """
    recipe, model = tuner.recipe, tuner.model
    total = num_steps(len(photos.train_labels), recipe)
    a_round = max(1, math.ceil(total / max(1, recipe.rounds)))
    history = list(state.history) if state else [_evaluate(tuner, photos, 0, 0, float("nan"), 0.0)]
    best = state.best if state else model.get_weights()
    if state:
        model.set_weights(state.weights)
        tuner.optimizer.restore(state.optimizer, state.average)
    else:
        progress.note(f"the head alone: {history[0]['validation_accuracy']:.2%} of the validation images")
    step = int(history[-1]["steps"])
    batches = draw_photo_batches(photos, seed, step)
    while (ending := _ending(history, step, total, clock, recipe)) is None:
        began_s, number, first = clock.now(), len(history), step
        step, loss = _tune_round(
            tuner, batches, range(step, min(total, step + a_round)), total, clock, number, progress
        )
        if step == first:
            ending = Ending.CLOCK  # just now
            break
        tuner.exchange()
        row = _evaluate(tuner, photos, number, step, loss, clock.now() - began_s)
        history.append(row)
        progress.record(row)
        if _best(history) == len(history) - 1:
            best = model.get_weights()
        tuner.exchange()
        keep_checkpoint(keep[0], _checkpoint(tuner, history, best, keep[1]), progress.note)
        progress.note(_line(history, recipe))
    batches.close()
    model.set_weights(best)
    return Tuning(best, history, _best(history), ending)


def _tune_round(
    tuner: Tuner, batches: Iterator[PhotoBatch], steps: range, total: int, clock: Clock, number: int,
    progress: Progress,
) -> tuple[int, float]:  # fmt: skip
    """Takes ``steps`` of ``total`` as long as there is time; (the step after the last taken one, their mean loss)."""
    recipe, reached = tuner.recipe, steps.start

    def items() -> Iterator[tuple[PhotoBatch, float]]:
        nonlocal reached
        for step in steps:
            used = max(step / total, clock.used())
            if used >= 1:
                return
            yield next(batches), compute_rate(used, step, recipe)
            reached = step + 1

    loss = take_steps(
        items(),
        lambda _, item: tuner.step(*item),
        lambda done, loss: progress.step(number - 1, done, len(steps), loss),
        place=f"in round {number}",
        peak_rate=recipe.learning_rate,
    )
    return reached, loss


def _evaluate(tuner: Tuner, photos: Photos, number: int, steps: int, loss: float, seconds: float) -> dict[str, float]:
    labels = photos.validation_labels
    logits = tuner.logits(photos.validation)
    viewed = tuner.logits(CameraViews(photos.validation, photos.camera)) if tuner.recipe.placed else logits
    # Scores are calibrated at the end, so that rounds must be compared as if they were already.
    temperature = fit_temperature(logits, labels).temperature
    losses = [cross_entropy(answers / temperature, labels) for answers in (logits, viewed)]
    row = {
        "round": number,
        "steps": steps,
        "validation_accuracy": float(np.mean(logits.argmax(axis=1) == labels)),
        "camera_accuracy": float(np.mean(viewed.argmax(axis=1) == labels)),
        "validation_loss": sum(losses) / 2,
        "seconds": round(seconds, 2),
    }
    return row if math.isnan(loss) else {**row, "loss": loss}


def _line(history: list[dict[str, float]], recipe: TransferRecipe) -> str:
    row, best = history[-1], history[_best(history)]
    return (
        f"round {row['round']}/{recipe.rounds}  loss {row['loss']:.4f}  validation {row['validation_accuracy']:.2%}, "
        f"in a camera's frame {row['camera_accuracy']:.2%} (cross-entropy {row['validation_loss']:.4f})  "
        f"{row['seconds']:.1f} s  best so far: round {best['round']}"
    )


def _best(history: list[dict[str, float]]) -> int:
    """The round with the lowest cross-entropy: on few images it tells more than how many answers are right. But none
    that is right less often than the head alone, both views counted: a network that tuning has just begun to destroy
    has the lower cross-entropy where the head is wrong and sure in a camera's frame.
    """
    good = [index for index, row in enumerate(history) if _count_right(row) >= _count_right(history[0])]
    return min(good, key=lambda index: history[index]["validation_loss"])


def _count_right(row: dict[str, float]) -> float:
    return row["validation_accuracy"] + row["camera_accuracy"]


def _ending(
    history: list[dict[str, float]], step: int, total: int, clock: Clock, recipe: TransferRecipe
) -> Ending | None:
    """Why tuning should end now; None when it should continue."""
    if step >= total:
        return Ending.STEPS
    if _nothing_left(history[-1]):
        return Ending.NOTHING_LEFT
    if _stuck(history, recipe.patience):
        return Ending.PATIENCE
    return Ending.CLOCK if clock.used() >= 1 else None


def _nothing_left(row: dict[str, float]) -> bool:
    """Whether every validation image is right, as it is and in a camera's frame, and surely so."""
    return min(row["validation_accuracy"], row["camera_accuracy"]) == 1 and row["validation_loss"] < NOTHING_LEFT


def _stuck(history: list[dict[str, float]], patience: int) -> bool:
    """Whether neither an accuracy nor the cross-entropy has had a new best for ``patience`` rounds."""
    if len(history) <= patience:
        return False
    before, since = history[:-patience], history[-patience:]
    gains = any(
        max(row[name] for row in since) > max(row[name] for row in before)
        for name in ("validation_accuracy", "camera_accuracy")
    )
    return not gains and min(row["validation_loss"] for row in since) >= min(row["validation_loss"] for row in before)


def _checkpoint(tuner: Tuner, history: list[dict[str, float]], best: list[Any], config: dict[str, Any]) -> Checkpoint:
    return Checkpoint(
        epoch=len(history) - 1,
        weights=tuner.model.get_weights(),
        optimizer=tuner.optimizer.state(),
        average=[variable.numpy() for variable in tuner.optimizer.averaged],
        best=best,
        best_accuracy=history[_best(history)]["validation_accuracy"],
        history=history,
        config=config,
    )
