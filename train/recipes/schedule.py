"""The learning rate of every step, as a rule of the step number alone, so that a resumed run has the same rates."""

from __future__ import annotations

import math

from train.recipes.config import Recipe


def compute_learning_rate(step: int, num_steps: int, recipe: Recipe) -> float:
    """The rate of ``step`` (0 .. num_steps - 1): a linear warm-up, then constant or half a cosine towards zero."""
    warmup = round(num_steps * recipe.warmup)
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    if recipe.schedule == "constant":
        return recipe.learning_rate
    progress = (step - warmup) / max(1, num_steps - warmup)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
