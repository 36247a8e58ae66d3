"""Follows the store while the live loop runs: a newly installed model is loaded beside the old one, used from one frame
to the next, and must give labels for a minute (`Trial`); one that cannot is taken back and remembered.

Loading happens in a thread, so that labels of the old model go on; the loop only asks between frames.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge_runtime.classifier import Classifier
from edge_runtime.clock import monotonic_s
from edge_runtime.errors import EdgeRuntimeError, ModelError
from edge_runtime.signatures import split_signature, trusted_keys
from edge_runtime.store import SHIPPED, Store, StoreState
from edge_runtime.trial import PROBATION_S, Trial

MAX_FAILED_STARTS = 3
CHECK_EVERY_S = 0.1
_log = logging.getLogger(__name__)


class Probation:
    """Called between two frames with the numbers of labels and of late ones so far (see `Trial`); gives a classifier
    when the model was changed.

    ``load`` makes a classifier of a model file. Use `begin` before the first model is loaded and `end` when the run
    ends well; a run that does neither counts as a crash of the model on probation.
    """

    def __init__(
        self, store: Store, load: Callable[[Path], Classifier], clock: Callable[[], float] = monotonic_s
    ) -> None:
        self._store, self._load, self._clock = store, load, clock
        self._model, self._version = SHIPPED, 0
        self._stamp: tuple[int, int] | None = None
        self._checked_s = -1e9
        self._on_probation = False
        self._trial = Trial(0, 0, clock())
        self._loading: _Loading | None = None

    def begin(self) -> Path:
        """The file to start with, after taking back a model whose runs ended badly three times."""
        self._stamp = self._read_stamp()
        state = self._store.state()
        if state.probation:
            state = self._store.count_start(state.current, +1)
            if state.failed_starts > MAX_FAILED_STARTS:
                state = self._take_back(state, f"{MAX_FAILED_STARTS} runs with it ended badly.")
        self._follow(state)
        return self._store.path_of(state.current)

    def instead(self, error: ModelError) -> Path:
        """The file to start with when the one of `begin` cannot be loaded: the one before, else raises ``error``.

        A model on probation is remembered as refused; one that worked before was damaged and may be installed again.
        """
        state = self._store.state()
        if len(state.history) < 2:
            raise error
        state = self._take_back(state, str(error) if state.probation else None)
        self._follow(state)
        return self._store.path_of(state.current)

    def __call__(self, num_labels: int, num_late: int) -> Classifier | None:
        now_s = self._clock()
        if self._on_probation:
            self._judge(num_labels, num_late, now_s)
        if self._loading is not None:
            if not self._loading.is_done():
                return None
            changed = self._loaded(self._loading)
            self._trial = Trial(num_labels, num_late, now_s)
            return changed
        if now_s - self._checked_s < CHECK_EVERY_S:
            return None
        self._checked_s = now_s
        stamp = self._read_stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            self._look()
        return None

    def end(self) -> None:
        """The run ended well, so it is no crash."""
        if self._on_probation:
            self._store.count_start(self._model, -1)

    def _look(self) -> None:
        try:
            state = self._store.state()
            if state.current == self._model:
                self._on_probation = state.probation
                return
            if state.probation:
                self._store.count_start(state.current, +1)
        except EdgeRuntimeError as error:
            _log.warning("The model is kept as it is: %s", error)
            return
        self._loading = _Loading(self._load, self._store.path_of(state.current), state)

    def _loaded(self, loading: _Loading) -> Classifier | None:
        self._loading = None
        if isinstance(loading.outcome, Classifier):
            self._follow(loading.state)
            _log.warning("From the next frame on: model %s.", loading.state.current[:12])
            return loading.outcome
        _log.warning("The new model is not used: %s", loading.outcome)
        if loading.state.probation:
            self._take_back(loading.state, str(loading.outcome))
        return None

    def _follow(self, state: StoreState) -> None:
        self._model, self._on_probation = state.current, state.probation
        self._version = 0 if state.current == SHIPPED else self._version_of(state.current)

    def _version_of(self, model: str) -> int:
        """The signed version, which may raise the floor once a trusted key vouched for it, as `Store.add` saw."""
        try:
            content = self._store.path_of(model).read_bytes()
            _, signature = split_signature(content, model)
            return signature.version if signature is not None and trusted_keys() else 0
        except (OSError, EdgeRuntimeError):
            return 0

    def _judge(self, num_labels: int, num_late: int, now_s: float) -> None:
        self._trial.add(num_labels, num_late, now_s)
        if not self._trial.passed and not self._trial.failure:
            return
        self._on_probation = False
        try:
            if self._trial.failure:
                self._take_back(self._store.state(), self._trial.failure)
                return
            self._store.accept(self._model, self._version)
            self._stamp = self._read_stamp()
            _log.warning("Model %s gave labels for %g s and is kept.", self._model[:12], PROBATION_S)
        except EdgeRuntimeError as error:
            _log.warning("What was found of the model cannot be noted: %s", error)

    def _take_back(self, state: StoreState, reason: str | None) -> StoreState:
        _log.warning("Model %s is taken back: %s", state.current[:12], reason or "it is damaged.")
        return self._store.rollback(reason, expected=state.current)

    def _read_stamp(self) -> tuple[int, int] | None:
        try:
            found = self._store.state_path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns


class _Loading:
    """A classifier being made, and warmed up, in a thread."""

    def __init__(self, load: Callable[[Path], Classifier], path: Path, state: StoreState) -> None:
        self.state = state
        self.outcome: Classifier | EdgeRuntimeError | None = None
        self._make, self._path = load, path
        self._thread = threading.Thread(target=self._run, name="model-loader", daemon=True)
        self._thread.start()

    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            classifier = self._make(self._path)
            classifier.classify(np.zeros((48, 64, 3), np.uint8))
            self.outcome = classifier
        except EdgeRuntimeError as error:
            self.outcome = error
        except Exception as error:  # an interpreter may raise anything at a model, and the old one goes on labelling
            self.outcome = ModelError(f"It cannot be loaded: {error!r}.")
