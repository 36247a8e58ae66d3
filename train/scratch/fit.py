"""Trains a model on a data set, epoch by epoch, resumable after any of them, and keeps the weights of the best one.

The best epoch is chosen on the validation split; the test split is not seen here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.errors import InternalError
from train.datasets.dataset import Dataset
from train.models import build_model
from train.progress import Progress
from train.recipes.config import Recipe, TrainConfig, to_json_object
from train.recipes.schedule import compute_learning_rate
from train.scratch.batches import count_batches, draw_epoch_batches
from train.scratch.distillation import Teacher
from train.scratch.epoch import train_epoch
from train.scratch.training_copy import clone_for_training
from train.training.checkpoint import Checkpoint, expect_same, keep_checkpoint, load_checkpoint
from train.training.logits import Forward, compile_forward, compute_logits
from train.training.result import TrainResult
from train.training.targets import Images, Targets
from train.training.temperature import TemperatureFit, fit_temperature, fold_temperature

SHORTEST_AVERAGE = 25  # the average spans at most 1/25 of all steps


def fit(
    config: TrainConfig,
    dataset: Dataset,
    checkpoints: Path,
    *,
    resume: bool,
    progress: Progress,
    teacher: Teacher | None = None,
    start: keras.Model | None = None,
) -> TrainResult:
    """Trains as ``config`` says, from the weights of ``start`` and also on the answers of ``teacher``, with a
    checkpoint in ``checkpoints`` every epoch.

    Raises:
        ConfigurationError: the checkpoint to resume belongs to another configuration.
        DataError: the loss became NaN or infinite.
    """
    recipe = config.recipe
    if not isinstance(recipe, Recipe):
        raise InternalError(
            f"The recipe {recipe.name} is not for `fit`, which knows the recipes of untrained networks."
        )
    keras.utils.set_random_seed(config.seed)
    model = build_model(config.model, config.input, len(dataset.labels))
    if start is not None:
        model.set_weights(start.get_weights())
    steps = count_batches(dataset.train, recipe.batch_size)
    total = recipe.epochs * steps
    learner = _Learner(model, recipe, total)
    state = load_checkpoint(checkpoints) if resume else None
    history: list[dict[str, float]] = []
    best, best_accuracy = model.get_weights(), -1.0
    if state is not None:
        expect_same(state.config, to_json_object(config), checkpoints)
        learner.restore(state)
        history, best, best_accuracy = list(state.history), state.best, state.best_accuracy
        progress.note(f"resumed after epoch {state.epoch} of {recipe.epochs}")

    def batches(epoch: int) -> Iterator[tuple[Images, Targets]]:
        lesson = teacher.lesson(dataset.train, recipe, config.seed, epoch) if teacher is not None else None
        yield from draw_epoch_batches(dataset.train, len(dataset.labels), recipe, config.seed, epoch, lesson)

    for epoch in range(len(history), recipe.epochs):
        row = train_epoch(
            learner,
            dataset,
            batches(epoch),
            lambda step: compute_learning_rate(step, total, recipe),
            progress.step,
            epoch=epoch,
            num_steps=steps,
            peak_rate=recipe.learning_rate,
        )
        history.append(row)
        if row["validation_accuracy"] >= best_accuracy:
            best, best_accuracy = model.get_weights(), row["validation_accuracy"]
        state = learner.checkpoint(history, best, best_accuracy, to_json_object(config))
        keep_checkpoint(checkpoints, state, progress.note)
        progress.epoch(row, recipe.epochs)
    model.set_weights(best)
    extra = {}
    if teacher is not None:
        extra["temperature"] = dataclasses.asdict(calibrate(model, dataset, learner.forward))
    best_epoch = max(range(len(history)), key=lambda i: (history[i]["validation_accuracy"], i)) + 1
    return TrainResult(model, tuple(history), best_epoch, sum(row["seconds"] for row in history), extra)


def calibrate(model: keras.Model, dataset: Dataset, forward: Forward) -> TemperatureFit:
    """Calibrates the scores of a model that learnt a teacher's softened scores; no label changes."""
    fitted = fit_temperature(compute_logits(model, dataset.validation, forward), dataset.validation.labels)
    fold_temperature(model, fitted.temperature)
    return fitted


class _Learner:
    """The training copy of a model, its optimizer, and the stock model that holds the moving average of the weights."""

    def __init__(self, model: keras.Model, recipe: Recipe, total_steps: int) -> None:
        self.model, self.forward = model, compile_forward(model)
        self.training = clone_for_training(model, recipe.precision)
        self.recipe = recipe
        # On little data the average must not reach back to the steps with high rates.
        self.decay = max(0.0, min(recipe.average, 1 - SHORTEST_AVERAGE / total_steps))
        self.optimizer: Any = (
            keras.optimizers.Adam(recipe.learning_rate)
            if recipe.optimizer == "adam"
            else keras.optimizers.SGD(recipe.learning_rate, momentum=0.9, nesterov=True)
        )
        self.optimizer.build(self.training.trainable_variables)
        self.kernels = [v for v in self.training.trainable_variables if v.name == "kernel"]
        self.num_steps = tf.Variable(0, dtype=tf.int64)
        self._step: Callable[..., Any] = tf.function(self._train_step, reduce_retracing=True)

    def step(self, images: NDArray[np.uint8], targets: NDArray[np.float32], rate: float) -> tuple[float, int]:
        """One update; (loss of the batch, how many of its images were right)."""
        loss, correct = self._step(tf.constant(images), tf.constant(targets), tf.constant(rate, tf.float32))
        return float(loss), int(correct)

    def _train_step(self, images: tf.Tensor, targets: tf.Tensor, rate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = self.training(tf.cast(images, tf.float32), training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        variables = self.training.trainable_variables
        gradients = tape.gradient(loss, [v.value for v in variables])
        self.optimizer.learning_rate.assign(rate)
        for kernel in self.kernels if self.recipe.weight_decay else []:
            kernel.assign(kernel * (1 - rate * self.recipe.weight_decay))
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        if self.recipe.average:
            self.num_steps.assign_add(1)
            # The average must forget the random start: its span begins short and grows to that of the final decay.
            num = tf.cast(self.num_steps, tf.float32)
            decay = tf.minimum(self.decay, (1 + num) / (10 + num))
            for average, value in zip(self.model.variables, self.training.variables, strict=True):
                average.assign(average * decay + value * (1 - decay))
        right = tf.equal(tf.argmax(logits, axis=1), tf.argmax(targets, axis=1))
        return loss, tf.reduce_sum(tf.cast(right, tf.int32))

    def finish_epoch(self) -> None:
        if not self.recipe.average:
            self.model.set_weights(self.training.get_weights())

    def checkpoint(
        self, history: list[dict[str, float]], best: list[Any], best_accuracy: float, config: dict[str, Any]
    ) -> Checkpoint:
        optimizer = [v.numpy() for v in self.optimizer.variables] + [self.num_steps.numpy()]
        return Checkpoint(
            epoch=len(history),
            weights=self.training.get_weights(),
            optimizer=optimizer,
            average=self.model.get_weights(),
            best=best,
            best_accuracy=best_accuracy,
            history=history,
            config=config,
        )

    def restore(self, state: Checkpoint) -> None:
        self.training.set_weights(state.weights)
        self.model.set_weights(state.average)
        for variable, value in zip(self.optimizer.variables, state.optimizer[:-1], strict=True):
            variable.assign(value)
        self.num_steps.assign(state.optimizer[-1])
