"""Whether a candidate gives labels: it is kept after a minute of labels, and refused after half a minute of frames
without one. A camera that gives no frames, or none worth a label, proves neither.
"""

from __future__ import annotations

HEALTH_CHECK_S = 60.0
PATIENCE_S = 30.0
# Labels further apart than this prove nothing about the time between them.
LONGEST_GAP_S = 2.0


class HealthCheck:
    """``passed`` becomes true once the model has proved itself, ``failure`` says why it must go; neither is set while
    this is undecided.

    All counts are for the run so far: ``num_labels`` given, and ``num_late`` frames whose label came too late to be
    used. ``now_s`` is monotonic.
    """

    def __init__(self, num_labels: int, num_late: int, now_s: float) -> None:
        self.passed = False
        self.failure = ""
        self._labels_before, self._late_before = num_labels, num_late
        self._num_labels, self._num_late = num_labels, num_late
        self._asked_s = now_s
        self._frame_s: float | None = None
        self._labelled_s = self._unlabelled_s = 0.0

    @property
    def has_labelled(self) -> bool:
        """Whether the model has given a label in time."""
        return self._num_labels > self._labels_before

    def add(self, num_labels: int, num_late: int, now_s: float) -> None:
        """Adds what has happened since the last call; call it several times a second, and before every frame."""
        if self.passed or self.failure:
            return
        elapsed_s, self._asked_s = now_s - self._asked_s, now_s
        if num_labels > self._num_labels:
            self._labelled_s += 0.0 if self._frame_s is None else min(now_s - self._frame_s, LONGEST_GAP_S)
            self._unlabelled_s = 0.0
            self._frame_s = now_s
        elif num_late > self._num_late:
            self._unlabelled_s += elapsed_s
            self._frame_s = now_s
        self._num_labels, self._num_late = num_labels, num_late
        labels, late = num_labels - self._labels_before, num_late - self._late_before
        if self._unlabelled_s >= PATIENCE_S:
            self.failure = f"It gave no label in time for {self._unlabelled_s:.0f} s, though frames came."
        elif self._labelled_s >= HEALTH_CHECK_S and labels < late:
            self.failure = f"It gave {labels} labels in time and {late} too late, expected most in time."
        else:
            self.passed = self._labelled_s >= HEALTH_CHECK_S
