"""Steadies labels over frames: a new label is shown only after k of the last n frames voted for it."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from edge_runtime.errors import UsageError


@dataclass(frozen=True)
class Hold:
    """``votes`` of the last ``window`` frames must agree before the shown label changes."""

    votes: int
    window: int

    def __post_init__(self) -> None:
        if not 1 <= self.votes <= self.window <= 1000:
            raise UsageError(
                f"`hold` is {self.votes}/{self.window}, expected K/N with 1 <= K <= N <= 1000, such as 3/5."
            )


def parse_hold(text: str) -> Hold:
    """The `Hold` for the text ``K/N``; UsageError for anything else."""
    found = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text)
    if found is None:
        raise UsageError(f"`hold` is {text!r}, expected K/N such as 3/5: K equal labels among the last N frames.")
    return Hold(int(found[1]), int(found[2]))


class Smoother:
    """Takes one label per frame and its score; ``label`` is the one to show, None until the first has enough votes.

    ``score`` is that of the shown label in the newest frame that voted for it.
    """

    def __init__(self, hold: Hold) -> None:
        self.hold = hold
        self.label: str | None = None
        self.score: float | None = None
        self._recent: deque[str] = deque(maxlen=hold.window)

    def add(self, label: str, score: float = 1.0) -> bool:
        """Counts one vote; true when the shown label changed."""
        self._recent.append(label)
        if label == self.label:
            self.score = score
            return False
        if self._recent.count(label) < self.hold.votes:
            return False
        self.label, self.score = label, score
        return True

    def reset(self) -> None:
        """Forgets votes and label: after a gap in the frames the old ones say nothing about the new scene."""
        self._recent.clear()
        self.label = self.score = None
