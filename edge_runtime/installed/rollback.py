"""What a run reads and writes in the store: which model comes next, whether this run judges it, and the verdict.

All of this may wait for a disk or for an installation that holds the store's lock, so `ModelFollower` calls it in a
thread, or before the first frame. If the store cannot be written, its models are used without being judged.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.installed.health_check import HEALTH_CHECK_S
from edge_runtime.store.runs import OpenRun, count_runs
from edge_runtime.store.state import StoreState
from edge_runtime.store.store import LOCK_WAIT_S, Store

MAX_FAILED_STARTS = 3
# A weak power supply may bring the machine down whenever the camera starts; so may a model that uses too much memory.
MAX_UNCLEAR_ENDS = 10
# The run itself waits before its first frame and after its last one, where a signal must still end it in time.
BRIEF_WAIT_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """The store's model in use; ``classifier`` is set, and warmed up, if the run has used another model so far."""

    model: str
    is_judged: bool = False
    classifier: Classifier | None = None


class ModelSwitch:
    """One run's view of ``store``; ``load`` makes a classifier from a model file."""

    def __init__(self, store: Store, load: Callable[[Path], Classifier]) -> None:
        self._store, self._load = store, load
        self._has_warned = False
        # A thread may be beginning a run while `end` is ending runs.
        self._beginning = threading.Lock()
        self._open_runs: list[OpenRun] = []
        self._has_ended = False

    def first(self, state: StoreState) -> Candidate:
        """What to start with, not yet loaded, after rolling back a model whose runs ended badly three times."""
        state, is_judged = self._begin_run(state, BRIEF_WAIT_S)
        if is_judged and (reason := self._why_no_more(state)):
            state = self.roll_back(state, state.current, reason, BRIEF_WAIT_S)
            is_judged = False
        return Candidate(state.current, is_judged)

    def next(self, used: Candidate, is_judged: bool) -> Candidate | None:
        """What follows ``used``, which this run judges if ``is_judged``: another model, loaded, or the same one with
        its current status; None if the new one cannot be used.
        """
        try:
            state = self._store.state()
        except EdgeRuntimeError as error:
            _log.warning("The model is kept as it is: %s", error)
            return None
        if state.current == used.model and (is_judged or not state.probation):
            return dataclasses.replace(used, is_judged=state.probation)
        state, is_judged = self._begin_run(state)
        found = Candidate(state.current, is_judged)
        if state.current == used.model:
            return found
        try:
            classifier = self._load(self._store.path_of(state.current))
            classifier.classify(np.zeros((48, 64, 3), np.uint8))
            return dataclasses.replace(found, classifier=classifier)
        except Exception as error:  # an interpreter may raise anything; the old model keeps labelling
            reason = str(error) if isinstance(error, EdgeRuntimeError) else f"It cannot be loaded: {error!r}."
        _log.warning("The new model is not used: %s", reason)
        if is_judged:
            self.roll_back(state, state.current, reason)
        return None

    def note(self, used: Candidate, failure: str) -> None:
        """Records the verdict of the health check on the model in use."""
        try:
            if failure:
                self.roll_back(self._store.state(), used.model, failure)
                return
            self._store.accept(used.model)
            _log.warning("Model %s gave labels for %g s and is kept.", used.model[:12], HEALTH_CHECK_S)
        except EdgeRuntimeError as error:
            _log.warning("The verdict on the model cannot be saved: %s", error)

    def roll_back(self, state: StoreState, model: str, reason: str | None, wait_s: float = LOCK_WAIT_S) -> StoreState:
        """The state without ``model``, which is recorded as refused if there is a ``reason``; if that cannot be
        written, the state with which this run continues.
        """
        _log.warning("Model %s is rolled back: %s", model[:12], reason or "its file is damaged or gone.")
        try:
            return self._store.rollback(reason, expected=model, wait_s=wait_s)
        except EdgeRuntimeError as error:
            _log.warning("The rollback cannot be saved: %s", error)
        history = tuple(entry for entry in state.history if entry != model)
        return dataclasses.replace(state, history=history or state.history, probation=False)

    def note_label(self, used: Candidate) -> None:
        """Records that the model in use has given a label: if the machine goes down later, that is not its fault."""
        try:
            for run in self._open_runs:
                if run.model == used.model:
                    run.note_label()
        except OSError as error:
            _log.warning("That the model gives labels cannot be saved: %s", error)

    def end(self) -> None:
        """Records that the run ended well, so that it counts as a crash neither of the model in use nor of one that is
        being loaded.
        """
        self._has_ended = True
        if not self._beginning.acquire(timeout=BRIEF_WAIT_S):
            _log.warning("That this run ended well cannot be saved: another process holds the store.")
            return
        try:
            for run in self._open_runs:
                run.end()
        except OSError as error:
            _log.warning("That this run ended well cannot be saved: %s", error)
        finally:
            self._beginning.release()

    def _begin_run(self, state: StoreState, wait_s: float = LOCK_WAIT_S) -> tuple[StoreState, bool]:
        """(the current state, whether this run judges its model)."""
        if not state.probation:
            return state, False
        with self._beginning:
            if self._has_ended:
                return state, False
            if any(run.model == state.current for run in self._open_runs):  # this run has used it before
                return state, True
            try:
                state, run = self._store.begin_run(state.current, wait_s)
            except EdgeRuntimeError as error:
                if not self._has_warned:
                    _log.warning(
                        "New models are used without being judged, because this run cannot write the store (if it "
                        "belongs to the service, the service judges them): %s",
                        error,
                    )
                self._has_warned = True
                return state, False
            if run is not None:
                self._open_runs.append(run)
            return state, run is not None

    def _why_no_more(self, state: StoreState) -> str:
        """Why a candidate gets no further run; empty if it does."""
        if state.failed_starts >= MAX_FAILED_STARTS:
            return f"{MAX_FAILED_STARTS} runs with it ended badly."
        if count_runs(self._store.folder, state.current).num_unclear >= MAX_UNCLEAR_ENDS:
            return f"{MAX_UNCLEAR_ENDS} times the machine ended before it gave a label."
        return ""
