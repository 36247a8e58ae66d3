"""The models installed on this device, and which of them is in use: one small file says so, and one rename changes it.

    STORE/state.json          which model is in use, whether it is a candidate, what came before, what was refused
    STORE/floor               the lowest version of a signed model that may be installed, if there is one
    STORE/models/HASH.tflite  the model files, never changed once they exist
    STORE/runs/               the runs of a candidate that are still going, or did not end well (`runs`)
    STORE/.lock               the lock that a change holds; only the store's owner may open it

Every change happens under the lock and writes whole files (`durable`), so that a working model is in use at any moment.
Files with other names belong to someone else and stay.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import ConfigurationError, EdgeRuntimeError, MissingInputError, ModelError, SignatureError
from edge_runtime.store.lock import lock_store
from edge_runtime.store.ownership import expect_own_folder
from edge_runtime.store.shipped import default_model
from edge_runtime.store.state import SHIPPED, StoreState, read_floor, read_state
from edge_runtime.system.durable import UNFINISHED, sync_folder, write_durably
from edge_runtime.system.guarded_read import read_plain

if TYPE_CHECKING:
    from edge_runtime.store.runs import OpenRun

NUM_KEPT = 3
SYSTEM_STORE = Path("/var/lib/edge-runtime")
# How long a change waits for another one to finish.
LOCK_WAIT_S = 10.0
# The names of the files that this module writes; `Store` removes no others.
_UNFINISHED_STATE = re.escape(UNFINISHED) + r"(state\.json|floor)-[0-9]+"
_MODEL = r"[0-9a-f]{64}\.tflite"
_UNFINISHED_MODEL = re.escape(UNFINISHED) + _MODEL + "-[0-9]+"


def default_store() -> Path:
    """$EDGE_RUNTIME_STORE, else the state folder from systemd, else /var/lib/edge-runtime for root or if it holds a
    store, else the user's own.

    Raises:
        ConfigurationError: it belongs to a service, and this user may not read it.
    """
    for name in ("EDGE_RUNTIME_STORE", "STATE_DIRECTORY"):
        if os.environ.get(name):
            return Path(os.environ[name].split(":")[0])
    if os.geteuid() == 0:
        return SYSTEM_STORE
    try:
        if (SYSTEM_STORE / "state.json").exists():
            return SYSTEM_STORE
    except PermissionError as error:  # with DynamicUser only root may enter the service's state folder
        raise ConfigurationError(
            f"The installed models in {SYSTEM_STORE} belong to the service, and this user may not read them "
            f"({error.strerror}). Use sudo; or name a file with `model`, or your own store with EDGE_RUNTIME_STORE."
        ) from error
    return Path(os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()) / "edge-runtime"


class Store:
    """The store in ``folder``; if that does not exist yet, the shipped model is in use."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_store()
        self.state_path = self.folder / "state.json"
        # A separate file, so that removing a damaged state does not let an old model in.
        self._floor_path = self.folder / "floor"

    def state(self) -> StoreState:
        """The current state.

        Raises:
            ModelError: ``state.json`` or ``floor`` is damaged.
        """
        state = read_state(self.state_path)
        return dataclasses.replace(state, floor=max(state.floor, read_floor(self._floor_path)))

    def path_of(self, model: str) -> Path:
        """The file of a model in `StoreState.history`."""
        if model == SHIPPED:
            return default_model()
        return self.folder / "models" / f"{model}.tflite"

    def current_path(self) -> Path:
        """The file of the model in use; raises as `state`."""
        return self.path_of(self.state().current)

    def add(self, content: bytes, version: int = 0, *, again: bool = False) -> str:
        """Puts a checked and tried model into use as a candidate, unless it already is in use; returns its SHA-256.

        Raises:
            ModelError: it was refused earlier and ``again`` is not set.
            SignatureError: its version is below the floor.
            EdgeRuntimeError: it cannot be written; the model in use is unchanged.
        """
        from edge_runtime.store.runs import settle_runs  # not needed to read a store

        model = hashlib.sha256(content).hexdigest()
        with self.changing() as state:
            self.expect_welcome(state, model, version, again=again)
            if state.current == model:
                return model
            path = self.path_of(model)
            _make_folder(path.parent)
            expect_own_folder(path.parent)
            if not _holds(path, content):
                write_durably(path, content)
            history = (*(entry for entry in state.history if entry != model), model)[-NUM_KEPT:]
            refused = {key: reason for key, reason in state.refused.items() if key != model}
            settle_runs(self.folder, model)  # runs from an earlier time as a candidate no longer count
            changed = dataclasses.replace(state, history=history, probation=True, failed_starts=0, refused=refused)
            # The floor rises at once, because the device may not give a label for days. Going back within the history
            # is not an installation.
            self._write(dataclasses.replace(changed, floor=max(state.floor, version)))
        return model

    def expect_welcome(self, state: StoreState, model: str, version: int, *, again: bool) -> None:
        """Raises as `add` for a model that was refused or is too old."""
        if model in state.refused and not again:
            raise ModelError(
                f"The model {model[:12]} has been tried and refused: {state.refused[model]} Convert a better one, or "
                "install it with `again`."
            )
        if version < state.floor and model not in state.history:
            raise SignatureError(
                f"The model has version {version}, but this device has already had version {state.floor} and takes no "
                "older one. Sign it with a higher version, or go back with: edge-runtime rollback."
            )

    def rollback(
        self, reason: str | None = None, expected: str | None = None, wait_s: float = LOCK_WAIT_S
    ) -> StoreState:
        """Goes back to the previous model; with a ``reason``, the current one is recorded as refused.

        With ``expected``, only that model is rolled back: if another one has come into use in the meantime, it stays,
        and the expected one is removed from the history.

        Raises:
            MissingInputError: there is no previous model.
            EdgeRuntimeError: it cannot be written, or another change holds the store for ``wait_s`` seconds.
        """
        with self.changing(wait_s) as state:
            left = state.current if expected is None else expected
            refused = dict(state.refused) if reason is None else {**state.refused, left: reason}
            if left != state.current:
                history = tuple(entry for entry in state.history if entry != left)
                changed = dataclasses.replace(state, history=history, refused=refused)
            elif len(state.history) < 2:
                raise MissingInputError(
                    f"There is no model before {state.current[:12]}, so nothing can be rolled back; install one."
                )
            else:
                changed = StoreState(history=state.history[:-1], refused=refused, floor=state.floor)
            self._write(changed)
        return changed

    def accept(self, model: str) -> None:
        """Records that ``model``, if still in use, has passed its health check."""
        with self.changing() as state:
            if state.current == model and (state.probation or state.failed_starts):
                self._write(dataclasses.replace(state, probation=False, failed_starts=0))

    def begin_run(self, model: str, wait_s: float = LOCK_WAIT_S) -> tuple[StoreState, OpenRun | None]:
        """Records that a run of a candidate begins, and how earlier ones ended: the new state, and the run, which the
        caller ends; the run is None if the model is no longer a candidate.

        Raises:
            EdgeRuntimeError: it cannot be written, or another change holds the store for ``wait_s`` seconds.
        """
        from edge_runtime.store.runs import OpenRun, settle_runs

        with self.changing(wait_s) as state:
            if state.current != model or not state.probation:
                return state, None
            if num_failed := settle_runs(self.folder, model):
                state = dataclasses.replace(state, failed_starts=state.failed_starts + num_failed)
                self._write(state)
            return state, OpenRun(self.folder, model)

    @contextlib.contextmanager
    def changing(self, wait_s: float = LOCK_WAIT_S) -> Iterator[StoreState]:
        """Holds the store's lock and gives the state. Removes what a killed installation left behind.

        Raises:
            EdgeRuntimeError: this user may not change the store, or another change holds it for ``wait_s`` seconds.
        """
        _make_folder(self.folder)
        with lock_store(self.folder, wait_s):
            state = self.state()
            self._sweep(state)
            yield state

    def _sweep(self, state: StoreState) -> None:
        """Removes what is no longer needed; by exact names, because a store may share its folder with other files."""
        kept = {self.path_of(model).name for model in state.history}
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if re.fullmatch(_UNFINISHED_STATE, path.name):
                    path.unlink()
            for path in (self.folder / "models").iterdir():
                is_old = re.fullmatch(_MODEL, path.name) and path.name not in kept
                if is_old or re.fullmatch(_UNFINISHED_MODEL, path.name):
                    path.unlink()

    def _write(self, state: StoreState) -> None:
        if state.floor > read_floor(self._floor_path):
            write_durably(self._floor_path, f"{state.floor}\n".encode())
        write_durably(self.state_path, state.to_json())
        self._sweep(state)


def _holds(path: Path, content: bytes) -> bool:
    """Whether the file at ``path`` is ``content``: it may have rotted, or somebody put another one there."""
    try:
        return read_plain(path, len(content)) == content
    except OSError:
        return False


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
    except OSError as error:
        raise EdgeRuntimeError(
            f"The folder {folder} cannot be created ({error.strerror}); try sudo, or set EDGE_RUNTIME_STORE."
        ) from error
