"""What a training run was asked to do, as frozen values with a strict JSON form; presets are functions.

Nothing here imports TensorFlow. Values are checked when they are made, so a bad flag ends the run before any work.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from edge_runtime.contract import InputSpec, expect_name
from edge_runtime.errors import UsageError
from train.recipes.checks import expect
from train.recipes.transfer_config import TransferRecipe

NAMED_DATA = ("cifar10-mini", "cifar10")  # every other data set is a folder
OPTIMIZERS = ("adam", "sgd")
SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Recipe:
    """How to train: everything that changes the weights besides the data, the architecture and the seed.

    ``warmup`` is the share of all steps with a rising rate. ``weight_decay`` is decoupled and acts on kernels alone:
    each step takes rate x decay off them. ``crop_padding`` and ``cutout`` are pixels, ``mixup`` and ``cutmix`` the
    alpha of their Beta distribution, ``average`` the decay a step of the weights' moving average; 0 turns each off.
    ``light`` is the share of the images that are seen in other light (`train/scratch/light.py`). A teacher labels
    ``views`` crops of each image, and ``averaged`` is the share that the mean over them has in its answers.
    ``precision`` is what convolutions and batch norms compute in; weights, loss and evaluation are always float32.
    """

    name: str
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    schedule: str
    warmup: float
    weight_decay: float
    label_smoothing: float
    crop_padding: int
    flip: bool
    cutout: int
    mixup: float
    cutmix: float
    average: float
    precision: str = "float32"
    light: float = 0.0
    views: int = 12
    averaged: float = 0.0

    def __post_init__(self) -> None:
        expect(self.optimizer in OPTIMIZERS, "optimizer", self.optimizer, f"one of {', '.join(OPTIMIZERS)}")
        expect(self.schedule in SCHEDULES, "schedule", self.schedule, f"one of {', '.join(SCHEDULES)}")
        expect(self.precision in PRECISIONS, "precision", self.precision, f"one of {', '.join(PRECISIONS)}")
        expect(self.epochs >= 1, "number of epochs", self.epochs, "at least 1")
        expect(self.batch_size >= 1, "batch size", self.batch_size, "at least 1")
        expect(self.views >= 1, "number of views", self.views, "at least 1")
        expect(0 < self.learning_rate <= 10, "learning rate", self.learning_rate, "above 0, at most 10")
        for name in ("crop_padding", "cutout", "mixup", "cutmix", "weight_decay"):
            expect(getattr(self, name) >= 0, name.replace("_", " "), getattr(self, name), "at least 0")
        for name in ("warmup", "label_smoothing", "average"):
            expect(0 <= getattr(self, name) < 1, name.replace("_", " "), getattr(self, name), "at least 0, below 1")
        for name in ("light", "averaged"):
            expect(0 <= getattr(self, name) <= 1, f"share {name}", getattr(self, name), "from 0 to 1")


@dataclass(frozen=True)
class TeacherRun:
    """An earlier run to learn from or to start from: its model's name and the SHA-256 of its `model.keras`."""

    name: str
    sha256: str


@dataclass(frozen=True)
class TrainConfig:
    """One training run: the data set's name or folder, the architecture, the input, the recipe, the seed; a
    teacher, and a start whose weights it begins with.
    """

    name: str
    data: str
    model: str
    input: InputSpec
    recipe: Recipe | TransferRecipe
    seed: int
    teacher: TeacherRun | None = None
    start: TeacherRun | None = None

    def __post_init__(self) -> None:
        expect_name(self.name)
        expect(0 <= self.seed < 2**32, "seed", self.seed, "from 0 to 4294967295")


def adam(epochs: int = 10) -> Recipe:
    """Plain Adam at a constant rate, no augmentation: the default for ``seed_cnn``."""
    return Recipe(
        name="adam", epochs=epochs, batch_size=64, optimizer="adam", learning_rate=1e-3, schedule="constant",
        warmup=0.0, weight_decay=0.0, label_smoothing=0.0, crop_padding=0, flip=False, cutout=0, mixup=0.0, cutmix=0.0,
        average=0.0,
    )  # fmt: skip


def modern(epochs: int = 36) -> Recipe:
    """One cycle of SGD with momentum, crop, flip, decoupled decay, averaged weights: for networks that underfit."""
    return Recipe(
        name="modern", epochs=epochs, batch_size=128, optimizer="sgd", learning_rate=0.2, schedule="cosine",
        warmup=0.1, weight_decay=2e-3, label_smoothing=0.0, crop_padding=4, flip=True, cutout=0, mixup=0.0, cutmix=0.0,
        average=0.998,
    )  # fmt: skip


RECIPES = {"adam": adam, "modern": modern}
# What each architecture is trained with unless told otherwise: (recipe, epochs).
PRESETS = {
    "seed_cnn": ("adam", 10),
    "resnet8": ("modern", 30),
    "micro": ("modern", 36),
    "small": ("modern", 36),
    "scaled": ("modern", 24),
}


def preset(model: str, recipe: str | None = None, epochs: int | None = None) -> Recipe:
    """The recipe for ``model``: its own, or the named one, with its number of epochs or the given one.

    Raises:
        UsageError: there is no such architecture or recipe.
    """
    family = model.partition("-")[0]  # such as scaled, for scaled-residual-w16-d1
    if family not in PRESETS:
        raise UsageError(f"There is no model {model!r}, expected one of {', '.join(PRESETS)}.")
    if recipe is not None and recipe not in RECIPES:
        raise UsageError(f"There is no recipe {recipe!r}, expected one of {', '.join(RECIPES)}.")
    own_recipe, own_epochs = PRESETS[family]
    return RECIPES[recipe or own_recipe](own_epochs if epochs is None else epochs)


def to_json_object(config: TrainConfig) -> dict[str, Any]:
    """The configuration as plain JSON values."""
    return dataclasses.asdict(config)
