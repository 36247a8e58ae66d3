"""Times one frame on this machine, from the frame to its label, with the code that a device runs."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from convert.measure.processor import read_processor_name
from edge_runtime.inference.classifier import Classifier
from edge_runtime.metrics import percentiles

FRAME_HEIGHT, FRAME_WIDTH = 480, 640
_MIN_CALLS, _MAX_CALLS, _SECONDS = 10, 200, 1.0


@dataclass(frozen=True)
class ImageTime:
    """Milliseconds from a 640x480 frame to its label, on one thread, by ``backend`` on ``processor``: the median of
    ``num_calls`` and the fastest, which are far apart if the machine was busy.
    """

    backend: str
    processor: str
    num_calls: int
    p50_ms: float
    fastest_ms: float


def time_images(classifier: Classifier) -> ImageTime:
    """The ImageTime of ``classifier``, measured for about a second after two warm-up calls."""
    frame = np.random.default_rng(0).integers(0, 256, (FRAME_HEIGHT, FRAME_WIDTH, 3), np.uint8)
    for _ in range(2):
        classifier.classify(frame)
    taken: list[float] = []
    while len(taken) < _MIN_CALLS or (len(taken) < _MAX_CALLS and sum(taken) < 1000 * _SECONDS):
        started_ns = time.perf_counter_ns()
        classifier.classify(frame)
        taken.append((time.perf_counter_ns() - started_ns) / 1e6)
    fastest, middle = percentiles(taken, (0, 50))
    return ImageTime(classifier.interpreter.backend, read_processor_name(), len(taken), middle, fastest)
