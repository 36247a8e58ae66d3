"""Decides when a new label counts as a change worth keeping, so that a flickering label does not flood anyone."""

from __future__ import annotations

SPACING_S = 0.5


class LabelChanges:
    """Takes the shown label of every frame; changes are at least `SPACING_S` apart, and the last one always counts."""

    def __init__(self, spacing_s: float = SPACING_S) -> None:
        self._spacing_s = spacing_s
        self._label = ""
        self._since_s: float | None = None

    def add(self, label: str, now_s: float) -> bool:
        """True when ``label`` differs from the last one that counted and enough time has passed since then."""
        if not label or label == self._label:
            return False
        if self._since_s is not None and now_s - self._since_s < self._spacing_s:
            return False
        self._label, self._since_s = label, now_s
        return True
