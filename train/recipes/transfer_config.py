"""Transfer learning from the pretrained network: its scale (what it costs) and its recipe, as frozen values.

Nothing here imports TensorFlow.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from edge_runtime.errors import UsageError
from train.recipes.checks import expect

MAX_MINUTES = 24 * 60.0
FLIPS = ("auto", "on", "off")


@dataclass(frozen=True)
class Scale:
    """One trade-off between small and accurate: the input's side in pixels, and the block whose expansion gives the
    features (16: the whole network with its head).
    """

    name: str
    side: int
    cut: int


SCALES = {scale.name: scale for scale in (Scale("tiny", 128, 8), Scale("small", 160, 11), Scale("full", 224, 16))}


@dataclass(frozen=True)
class TransferRecipe:
    """How to learn a user's own photos.

    The head is fitted on features first; then blocks from ``first_block`` on are tuned with Adam for ``epochs`` passes,
    but at least ``min_steps`` steps, and never beyond ``minutes`` after the start of the run. ``average`` is the decay
    a step of the weights' moving average; ``crop_area`` the smallest share of an image that a random crop keeps;
    ``jitter`` how far brightness, contrast and saturation move; ``patience`` rounds without progress end the tuning.
    ``flip`` says whether a mirror image shows the same thing: on, off, or auto (decided on validation images).
    ``placed`` is the share of images that are shown smaller in front of a background, ``out_of_distribution`` the
    number of images of none of the classes for each image of a class; 0 turns either off.
    """

    name: str
    scale: Scale
    first_block: int
    epochs: int
    min_steps: int
    rounds: int
    patience: int
    minutes: float
    batch_size: int
    learning_rate: float
    warmup: float
    label_smoothing: float
    crop_area: float
    flip: str
    jitter: float
    average: float
    placed: float
    out_of_distribution: float

    def __post_init__(self) -> None:
        expect(self.epochs >= 0, "number of epochs", self.epochs, "at least 0 (the head alone)")
        expect(self.batch_size >= 1, "batch size", self.batch_size, "at least 1")
        expect(0 < self.learning_rate <= 1, "learning rate", self.learning_rate, "above 0, at most 1")
        expect(0 < self.minutes <= MAX_MINUTES, "number of minutes", self.minutes, f"above 0, at most {MAX_MINUTES:g}")
        expect(0 < self.crop_area <= 1, "crop area", self.crop_area, "above 0, at most 1")
        expect(self.flip in FLIPS, "flip", self.flip, f"one of {', '.join(FLIPS)}")
        for name in ("placed", "out_of_distribution"):
            expect(0 <= getattr(self, name) <= 1, name, getattr(self, name), "from 0 to 1")
        for name in ("warmup", "label_smoothing", "jitter", "average"):
            expect(0 <= getattr(self, name) < 1, name.replace("_", " "), getattr(self, name), "at least 0, below 1")


# What each scale is tuned with: passes over the images, minutes of the whole run, first block that is tuned (the
# early ones cost most of the time at 224 pixels and gain least), learning rate.
_EFFORT = {"tiny": (16, 12.0, 2, 2e-3), "small": (12, 14.0, 3, 2e-3), "full": (7, 45.0, 5, 1e-3)}


def transfer(scale: str = "small", minutes: float | None = None, epochs: int | None = None) -> TransferRecipe:
    """The recipe for a user's own photos at ``scale``, chosen on validation images.

    Raises:
        UsageError: there is no such scale.
    """
    if scale not in SCALES:
        raise UsageError(
            f"--size is {scale!r}, but the model transfer comes as {', '.join(SCALES)}; choose one of them."
        )
    own_epochs, own_minutes, first_block, rate = _EFFORT[scale]
    return TransferRecipe(
        name="transfer", scale=SCALES[scale], first_block=first_block, epochs=own_epochs if epochs is None else epochs,
        min_steps=300, rounds=8, patience=4, minutes=own_minutes if minutes is None else minutes, batch_size=32,
        learning_rate=rate, warmup=0.2, label_smoothing=0.1, crop_area=0.4, flip="auto", jitter=0.2, average=0.99,
        placed=0.5, out_of_distribution=0.1875,
    )  # fmt: skip


def with_changes(recipe: TransferRecipe, changes: dict[str, Any]) -> TransferRecipe:
    """The recipe with some of its fields replaced.

    Raises:
        UsageError: it has no such field.
    """
    unknown = sorted(changes.keys() - {field.name for field in dataclasses.fields(recipe)})
    if unknown:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in unknown)
        raise UsageError(f"{flags} is not part of the recipe transfer; leave it out.")
    return dataclasses.replace(recipe, **changes)
