"""Two models image by image: the paired difference with its interval, McNemar's p, and a verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_runtime.metrics import mcnemar_p, paired_difference_interval

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Answer:
    """One image: its truth, and what the old and the new model say with their scores in [0, 1]."""

    image: str
    truth: str
    old_label: str
    old_score: float
    new_label: str
    new_score: float

    @property
    def old_right(self) -> bool:
        """Whether the old model is right."""
        return self.old_label == self.truth

    @property
    def new_right(self) -> bool:
        """Whether the new model is right."""
        return self.new_label == self.truth


@dataclass(frozen=True)
class Judgement:
    """On ``num`` images; ``gain`` = new accuracy - old accuracy in [-1, 1] with its 95 % interval; p is McNemar's."""

    num: int
    old_right: int
    new_right: int
    only_new: int
    only_old: int
    gain: float
    interval: tuple[float, float]
    p: float

    @property
    def kind(self) -> str:
        """ "better", "worse", or "alike" where the images cannot tell."""
        if self.p >= SIGNIFICANCE:
            return "alike"
        return "better" if self.gain > 0 else "worse"

    @property
    def words(self) -> str:
        """The verdict in one sentence."""
        low, high = (100 * value for value in self.interval)
        between = f"{100 * self.gain:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}, p = {self.p:.2g}"
        if self.kind == "alike":
            return f"No measurable difference on {self.num} images ({between})."
        return f"The new model is {self.kind} on {self.num} images ({between})."


def judge(answers: Sequence[Answer]) -> Judgement | None:
    """The Judgement of the answers, None where there are none."""
    if not answers:
        return None
    old, new = (np.array([getattr(answer, name) for answer in answers]) for name in ("old_right", "new_right"))
    only_new, only_old = int((new & ~old).sum()), int((old & ~new).sum())
    return Judgement(
        num=len(answers),
        old_right=int(old.sum()),
        new_right=int(new.sum()),
        only_new=only_new,
        only_old=only_old,
        gain=(only_new - only_old) / len(answers),
        interval=paired_difference_interval(only_new, only_old, len(answers)),
        p=mcnemar_p(only_new, only_old),
    )
