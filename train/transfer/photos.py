"""A user's photos in, a calibrated model out: features, head, tuning, temperature, within a given time.

The order matters: cheap steps come first, so that there is a complete model whenever the time is up.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.contract import InputSpec
from edge_runtime.errors import InternalError
from train.datasets.cache import cache_folder
from train.datasets.dataset import Dataset
from train.models.normalization import add_normalized_input
from train.progress import Progress, Stage, format_duration
from train.recipes.config import TrainConfig, to_json_object
from train.recipes.transfer_config import SCALES, Scale, TransferRecipe
from train.training.checkpoint import expect_same, load_checkpoint
from train.training.result import TrainResult
from train.training.temperature import TemperatureFit, fit_temperature, fold_temperature
from train.transfer.backbone import efficientnet_lite0 as backbone
from train.transfer.batches import Photos
from train.transfer.features.feature_cache import FeatureCache
from train.transfer.features.features import SplitFeatures, enlarge, read_features
from train.transfer.features.image_store import ImageStore
from train.transfer.fine_tune import Clock, num_steps, tune
from train.transfer.head_choice import Array, HeadChoice, HeadSettings, Views, choose_head
from train.transfer.learning_curve import measure_learning_curve
from train.transfer.scenes.backgrounds import Backgrounds
from train.transfer.scenes.camera import Camera
from train.transfer.scenes.small_photos import list_known, load_small_photos
from train.transfer.size_advice import LARGEST, SHARE, compare_with_full, is_asked_for
from train.transfer.tuner import Tuner

# From this ratio of the largest class to the smallest upwards, images of small classes count for more.
UNBALANCED = 3.0
# Writing the run takes this long, besides scoring the test split.
WRITING_S = 4.0
# With less time left, the seconds of the learning curve are better spent on tuning.
LEAST_FOR_CURVE_S = 120.0


def build(input_spec: InputSpec, scale: Scale, num_classes: int) -> keras.Model:
    """The network of ``scale`` with ImageNet weights and an untrained head; pixels 0..255 -> logits."""
    pixels, x = add_normalized_input(input_spec)
    features = keras.layers.GlobalAveragePooling2D(name="pool")(backbone.extend(x, 0, scale.cut))
    head = keras.layers.Dense(num_classes, kernel_initializer="zeros", name="logits")
    return keras.Model(pixels, head(features), name=f"transfer_{scale.name}")


def train_transfer(
    config: TrainConfig,
    recipe: TransferRecipe,
    dataset: Dataset,
    checkpoints: Path,
    *,
    resume: bool,
    progress: Progress,
    started_s: float | None = None,
    now: Callable[[], float] = time.monotonic,
) -> TrainResult:
    """Trains as ``config`` says; ``started_s`` is when the minutes began to count, in seconds of ``now``.

    Raises:
        ConfigurationError: the checkpoint to resume belongs to another configuration.
        DataError, MissingInputError: an image or the ImageNet weights cannot be read.
    """
    began_s = now()
    started_s = began_s if started_s is None else started_s
    keras.utils.set_random_seed(config.seed)
    state = load_checkpoint(checkpoints) if resume else None
    if state is not None:
        expect_same(state.config, to_json_object(config), checkpoints)
    weights = backbone.load_pretrained()
    model = build(config.input, recipe.scale, len(dataset.labels))
    backbone.set_weights(model, weights)
    with contextlib.ExitStack() as stack:
        training, validation = _read(stack, model, config, recipe, dataset, checkpoints, progress)
        image_s = (now() - began_s) / (len(training.labels) + len(validation.labels))
        class_weights = weigh_classes(training.labels, len(dataset.labels))
        choice = choose_head(
            _views(training), _views(validation), class_weights, config.seed, recipe.label_smoothing, recipe.flip
        )
        progress.note(choice.sentence())
        advice = _advice(config, recipe, dataset, choice, class_weights, progress, now) if state is None else {}
        if state is None:
            model.layers[-1].set_weights([choice.head.kernel, choice.head.bias])
        deadline_s = started_s + 60 * recipe.minutes
        if state is None and deadline_s - now() > LEAST_FOR_CURVE_S:
            settings = HeadSettings(class_weights, config.seed, recipe.label_smoothing)
            advice |= _learning_curve(training, validation, dataset, settings, choice, progress)
        camera = _camera(config, recipe, dataset, mirrored=choice.mirrored)
        photos = Photos(training.store, training.labels, validation.store, validation.labels, class_weights, camera)
        reserve_s = image_s * len(dataset.test.labels) + WRITING_S
        clock = Clock(now, now(), deadline_s - reserve_s)
        total = num_steps(len(training.labels), recipe)
        progress.note(
            f"tuning: up to {total} steps of {recipe.batch_size} images, at most "
            f"{format_duration(max(0.0, clock.deadline_s - clock.started_s))}"
        )
        scales = {name: folded.scale for name, folded in weights.items()}
        tuner = Tuner(model, scales, recipe)
        tuned = tune(tuner, photos, config.seed, clock, progress, (checkpoints, to_json_object(config)), state)
        expected = _expect_temperature(choice)
        fit = fit_temperature(tuner.logits(validation.store), validation.labels, expected)
    fold_temperature(model, fit.temperature)
    progress.note(_calibration_line(fit))
    progress.note(tuned.ending.value)
    extra = {
        "temperature": dataclasses.asdict(fit),
        "class_weights": class_weights.round(4).tolist(),
        "own_small_photos": sorted(list_known(dataset.labels)),
        "mirroring": choice.facts(),
        **advice,
        "ended_by": tuned.ending.name.lower(),
    }
    return TrainResult(model, tuple(tuned.history), tuned.best_round, now() - began_s, extra)


def weigh_classes(labels: NDArray[np.int64], num_classes: int) -> NDArray[np.float32]:
    """(n,) int64 labels -> (classes,) float32 with mean 1 over the images.

    All are 1 unless the largest class is more than three times the smallest; then they are half-way (square root)
    between an equal weight for each image and one for each class.

    Raises:
        InternalError: a class has no image.
    """
    counts = np.bincount(labels, minlength=num_classes).astype(np.float64)
    if counts.min() == 0:
        raise InternalError("A class has no training image, which reading the data set refuses.")
    if counts.max() <= UNBALANCED * counts.min():
        return np.ones(num_classes, np.float32)
    weights = 1 / np.sqrt(counts)
    result: NDArray[np.float32] = (weights * counts.sum() / (weights * counts).sum()).astype(np.float32)
    return result


def _read(
    stack: contextlib.ExitStack,
    model: keras.Model,
    config: TrainConfig,
    recipe: TransferRecipe,
    dataset: Dataset,
    checkpoints: Path,
    progress: Progress,
) -> tuple[SplitFeatures, SplitFeatures]:
    """Training and validation features; the files behind them live as long as ``stack``."""
    features = keras.Model(model.input, model.layers[-1].input)
    network = f"{backbone.WEIGHTS_SHA256}/{recipe.scale.cut}/{config.input}"
    cache = FeatureCache(cache_folder(), network, 2 * int(features.output_shape[1]))
    stack.callback(cache.close)
    forward = tf.function(lambda images: features(tf.cast(images, tf.float32), training=False), reduce_retracing=True)
    read = []
    for name, split, encoding in (
        ("training", dataset.train, "small"),
        ("validation", dataset.validation, "lossless"),
    ):
        store = stack.enter_context(ImageStore(checkpoints, encoding))
        stored = enlarge(config.input) if encoding == "small" else config.input
        stage = Stage(progress.stream, f"reading {name} images", len(split.labels))
        read.append(read_features(split, store, stored, cache, forward, stage))
    return read[0], read[1]


def _advice(
    config: TrainConfig, recipe: TransferRecipe, dataset: Dataset, choice: HeadChoice, class_weights: Array,
    progress: Progress, now: Callable[[], float],
) -> dict[str, Any]:  # fmt: skip
    """What a larger size would bring where photos are few, said and as JSON values, within its share of the time."""
    if not is_asked_for(choice, recipe):
        return {}
    scale = SCALES[LARGEST]
    whole = build(dataclasses.replace(config.input, height=scale.side, width=scale.side), scale, len(dataset.labels))
    backbone.set_weights(whole, backbone.load_pretrained())
    features = keras.Model(whole.input, whole.layers[-1].input)
    stage = Stage(progress.stream, "comparing with the size full", choice.num_images)
    allowed_s = SHARE * 60 * recipe.minutes
    sentence, accuracies = compare_with_full(
        config, recipe, dataset, features, choice, class_weights, stage, allowed_s, now
    )
    progress.note(sentence)
    return {"size_advice": {"sentence": sentence, "accuracy": accuracies}}


def _learning_curve(
    training: SplitFeatures, validation: SplitFeatures, dataset: Dataset, settings: HeadSettings, choice: HeadChoice,
    progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """What more images would bring, said and as JSON values."""
    groups = dataset.groups or range(len(training.labels))
    curve = measure_learning_curve(_views(training), _views(validation), groups, settings, mirrored=choice.mirrored)
    progress.note(curve.sentence())
    return {"learning_curve": curve.facts(dataset.labels)}


def _camera(config: TrainConfig, recipe: TransferRecipe, dataset: Dataset, *, mirrored: bool) -> Camera:
    """The camera that shows the training images; the empty scene, if there is one, is their background."""
    spec = config.input
    own = [] if dataset.background is None else dataset.background.read(enlarge(spec))
    backgrounds = Backgrounds(max(spec.height, spec.width), load_small_photos(dataset.labels), own, config.seed)
    return Camera(spec.height, spec.width, recipe, backgrounds, mirrored, squeezed=spec.resize == "stretch")


def _views(split: SplitFeatures) -> Views:
    return Views(split.rows(np.arange(len(split.labels))), split.labels)


def _expect_temperature(choice: HeadChoice) -> float | None:
    """That of heads on the images that they did not see, where a few validation images say little about any."""
    found = choice.cross_validated
    return None if found is None else fit_temperature(found.logits, found.labels).temperature


def _calibration_line(fit: TemperatureFit) -> str:
    return (
        f"temperature {fit.temperature:.2f}: calibration error {fit.error_before:.1%} -> {fit.error_after:.1%} on "
        f"{fit.num_images} validation images"
    )
