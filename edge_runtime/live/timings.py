"""Keeps the last few thousand durations of each stage in fixed memory, and gives their percentiles."""

from __future__ import annotations

import numpy as np

from edge_runtime.live.results import Percentiles
from edge_runtime.metrics import percentiles

CAPACITY = 8192


class Timings:
    """Durations by stage name; memory does not grow with the number of frames."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._values: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
        self._counts: dict[str, int] = {}

    def add(self, stage: str, duration_ms: float) -> None:
        """Remembers one duration; beyond the capacity the oldest is forgotten."""
        if stage not in self._values:
            self._values[stage] = np.zeros(self._capacity, np.float64)
            self._counts[stage] = 0
        self._values[stage][self._counts[stage] % self._capacity] = duration_ms
        self._counts[stage] += 1

    def summary(self) -> dict[str, Percentiles]:
        """The percentiles of every stage, in the order in which stages first appeared."""
        return {
            stage: Percentiles(*(float(value) for value in percentiles(values[: self._counts[stage]], (50, 95, 99))))
            for stage, values in self._values.items()
        }
