"""Follows the store while the live loop runs: a newly installed model is loaded beside the old one, used from one frame
to the next, and must give labels for a minute (`HealthCheck`); one that cannot is rolled back and remembered
(`ModelSwitch`).

The loop only asks between frames. Models are loaded, and the store is read and written, in a thread: labels never wait
for a disk or for a lock that an installation holds.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from edge_runtime.errors import MissingInputError, ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.installed.health_check import HealthCheck
from edge_runtime.installed.rollback import BRIEF_WAIT_S, Candidate, ModelSwitch
from edge_runtime.store.state import SHIPPED
from edge_runtime.store.store import Store
from edge_runtime.system.clock import monotonic_s

CHECK_EVERY_S = 0.1
# At the end of a run a verdict may still be written; together with `ModelSwitch.end` this stays well within the 3 s
# that ending on a signal may take.
LAST_WAIT_S = 0.5
_log = logging.getLogger(__name__)


class ModelFollower:
    """Called between two frames with the numbers of labels and late labels so far (see `HealthCheck`); returns a
    classifier if the model has changed.

    ``load`` makes a classifier from a model file. Call `begin` before the first model is loaded and `end` when the run
    ends well; a run without `end` counts as a crash of the candidate.
    """

    def __init__(
        self, store: Store, load: Callable[[Path], Classifier], clock: Callable[[], float] = monotonic_s
    ) -> None:
        self._store, self._clock = store, clock
        self._switch = ModelSwitch(store, load)
        self._used = Candidate(SHIPPED)
        self._check: HealthCheck | None = None
        self._is_label_noted = False
        self._stamp: tuple[int, int] | None = None
        self._checked_s = -1e9
        self._work: _Work | None = None

    def begin(self) -> Path:
        """The file to start with, after rolling back a model whose runs ended badly three times."""
        self._stamp = self._read_stamp()
        return self._start(self._switch.first(self._store.state()))

    def instead(self, error: ModelError | MissingInputError) -> Path:
        """The file to start with when the one from `begin` cannot be loaded: the previous one, else raises ``error``.

        A candidate is recorded as refused. A model that worked earlier must have been damaged, so it may be installed
        again, and so may one whose file has gone.
        """
        state, failed = self._store.state(), self._used
        if state.current == failed.model and len(state.history) < 2:
            raise error
        reason = str(error) if failed.is_judged and isinstance(error, ModelError) else None
        state = self._switch.roll_back(state, failed.model, reason, BRIEF_WAIT_S)
        return self._start(self._switch.first(state))

    def __call__(self, num_labels: int, num_late: int) -> Classifier | None:
        now_s = self._clock()
        if self._check is not None:
            self._check.add(num_labels, num_late, now_s)
        if self._work is not None:
            if not self._work.is_done():
                return None
            found, self._work = self._work.found, None
            return self._take_over(found, HealthCheck(num_labels, num_late, now_s)) if found is not None else None
        if self._check is not None and (self._check.passed or self._check.failure):
            self._work = _Work(partial(self._switch.note, self._used, self._check.failure), is_brief=True)
            self._check = None
        elif self._check is not None and self._check.has_labelled and not self._is_label_noted:
            self._is_label_noted = True
            self._work = _Work(partial(self._switch.note_label, self._used), is_brief=True)
        elif now_s - self._checked_s >= CHECK_EVERY_S:
            self._checked_s = now_s
            stamp = self._read_stamp()
            if stamp != self._stamp:
                self._stamp = stamp
                self._work = _Work(partial(self._switch.next, self._used, self._check is not None))
        return None

    def end(self) -> None:
        """Records that the run ended well, so that it does not count as a crash."""
        if self._work is not None and self._work.is_brief:
            self._work.wait(LAST_WAIT_S)
        self._switch.end()

    def _start(self, first: Candidate) -> Path:
        self._take_over(first, HealthCheck(0, 0, self._clock()))
        return self._store.path_of(first.model)

    def _take_over(self, found: Candidate, check: HealthCheck) -> Classifier | None:
        is_new = found.model != self._used.model
        self._check = None if not found.is_judged else check if is_new or self._check is None else self._check
        self._is_label_noted &= not is_new
        self._used = dataclasses.replace(found, classifier=None)
        if found.classifier is not None:
            _log.warning("From the next frame on: model %s.", found.model[:12])
        return found.classifier

    def _read_stamp(self) -> tuple[int, int] | None:
        try:
            found = self._store.state_path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns


class _Work:
    """One task that would keep the loop waiting, done in a thread."""

    def __init__(self, do: Callable[[], Candidate | None], is_brief: bool = False) -> None:
        self.found: Candidate | None = None
        self.is_brief = is_brief
        self._do = do
        self._thread = threading.Thread(target=self._run, name="model-store", daemon=True)
        self._thread.start()

    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, timeout_s: float | None = None) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        self.found = self._do()
