"""A candidate that is scored on the frames of a run beside the model in use, and has no say in any label.

For a live camera it works in a separate thread, on the frames for which there is time: a candidate that cannot keep up
is shown fewer, and the run says how many. The thread does not have a lower priority: if it waited for its turn while
holding Python's global lock, labels would wait with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from edge_runtime.cameras.frame import Frame
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.postprocess import Prediction
from edge_runtime.live.health_state import HealthState
from edge_runtime.live.results import Pulse, Result, ShadowSummary
from edge_runtime.live.timings import Timings
from edge_runtime.pixels.preprocess import Image
from edge_runtime.system.clock import monotonic_s

# How much of one core it may take: usually, and while the model in use misses frames or the camera is in trouble.
SHARE, CAREFUL_SHARE = 0.25, 0.03
# When this share of the frames is replaced by newer ones from one pulse to the next, the machine is busy.
BUSY_DROPPED = 0.05


class KeepsDifferences(Protocol):
    """Keeps a frame to which the two models gave different labels; called from the candidate's thread."""

    def keep_difference(self, pixels: Image, result: Result, name: str, other: Prediction) -> None:
        """``result`` comes from the model in use, ``other`` from the candidate ``name``."""


class Shadow:
    """An `Observer` that shows frames to ``candidate``: in a ``live`` run those for which there is time, otherwise
    every one.
    """

    def __init__(self, candidate: Classifier, *, live: bool, clock: Callable[[], float] = monotonic_s) -> None:
        self.candidate, self._live, self._clock = candidate, live, clock
        self.keepers: list[KeepsDifferences] = []
        self._changed = threading.Condition()
        self._waiting: tuple[Image, Result] | None = None
        self._is_working = self._is_closed = self._is_careful = False
        self._next_s = -1e9
        self._dropped = self._captured = 0
        self._used = ""
        self._thread: threading.Thread | None = None
        self._reset()
        if live:
            self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
            self._thread.start()

    @property
    def name(self) -> str:
        """The candidate's name, and the start of its hash, which tells two of one name apart."""
        return f"{self.candidate.contract.spec.name} {self._version}".strip()

    @property
    def _version(self) -> str:
        return self.candidate.contract.parts.get("model", "")[:12]

    def summary(self) -> ShadowSummary:
        """How it has done so far; may be called from any thread."""
        with self._changed:
            times = self._timings.summary()
            own, used = times.get("shadow"), times.get("used")
            return ShadowSummary(
                self.candidate.contract.spec.name,
                self._version,
                self._num_labels,
                self._num_seen,
                self._num_agreed,
                own.p50 if own else None,
                own.p95 if own else None,
                used.p50 if used else None,
                self._failure,
            )

    # The loop's side.

    def model(self, classifier: Classifier) -> None:
        """Counts taken beside another model say nothing about this one."""
        version = classifier.contract.parts.get("model", "")
        if self._used and version != self._used:
            with self._changed:
                self._reset()
        self._used = version

    def frame(self, frame: Frame, result: Result | None) -> None:
        if result is None or self._failure:
            return
        self._num_labels += 1
        if not self._live:
            self._score(frame.pixels, result)
            return
        with self._changed:
            if self._waiting is None and not self._is_working and self._clock() >= self._next_s:
                self._waiting = frame.pixels.copy(), result
                self._changed.notify()

    def pulse(self, pulse: Pulse) -> None:
        counts = pulse.counts
        num_new, num_dropped = counts.captured - self._captured, counts.dropped - self._dropped
        self._captured, self._dropped = counts.captured, counts.dropped
        is_busy = num_dropped > BUSY_DROPPED * num_new
        self._is_careful = is_busy or pulse.state is not HealthState.OK

    def close(self) -> None:
        """Ends the thread, waiting at most 2 s for it, and frees the candidate's memory."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(2.0)
            if self._thread.is_alive():  # it is classifying; the end of the process frees everything
                return
        self.candidate.close()

    # The candidate's thread.

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or self._waiting is not None)
                if self._is_closed:
                    return
                task, self._waiting, self._is_working = self._waiting, None, True
            if task is not None:
                started_s = self._clock()
                self._score(*task)
                now_s = self._clock()
                share = CAREFUL_SHARE if self._is_careful else SHARE
                with self._changed:
                    self._next_s = now_s + (now_s - started_s) * (1.0 / share - 1.0)
                    self._is_working = False

    def _score(self, pixels: Image, result: Result) -> None:
        timings = self._timings
        started_s = self._clock()
        try:
            other = self.candidate.classify(pixels)
        except EdgeRuntimeError as error:  # it is a candidate: finding its faults is the point
            self._failure = str(error)
            return
        took_ms = (self._clock() - started_s) * 1e3
        with self._changed:
            if timings is not self._timings:  # the model in use has changed by now
                return
            timings.add("shadow", took_ms)
            timings.add("used", result.classify_ms)
            self._num_seen += 1
            agrees = other.label == result.prediction.label
            self._num_agreed += agrees
        if not agrees:
            for keeper in self.keepers:
                keeper.keep_difference(pixels, result, self.name, other)

    def _reset(self) -> None:
        self._num_labels = self._num_seen = self._num_agreed = 0
        self._timings = Timings(1024)
        self._failure = ""
