"""The models installed on this device, and which of them is in use: one small file says so, and one rename changes it.

    STORE/state.json          what is in use, what was before, whether that is a candidate, what was refused
    STORE/floor               the lowest version of a signed model that may be installed, where there is one
    STORE/models/HASH.tflite  the files, never changed once they are there
    STORE/runs/               the runs of a candidate that go on, or ended otherwise than well (`runs`)
    STORE/.lock               what a change holds meanwhile; only its owner may open it

Every change happens under a lock, writes whole files (`durable`) and leaves a model in use that works at any moment.
Files that have other names belong to someone else and stay.
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

if TYPE_CHECKING:
    from edge_runtime.store.runs import OpenRun

NUM_KEPT = 3
SYSTEM_STORE = Path("/var/lib/edge-runtime")
# How long a change waits for one that is under way.
LOCK_WAIT_S = 10.0
# What this file writes, by folder: all that `Store` ever removes.
_UNFINISHED_STATE = re.escape(UNFINISHED) + r"(state\.json|floor)-[0-9]+"
_MODEL = r"[0-9a-f]{64}\.tflite"
_UNFINISHED_MODEL = re.escape(UNFINISHED) + _MODEL + "-[0-9]+"


def default_store() -> Path:
    """$EDGE_RUNTIME_STORE, else the state folder that systemd gives, else /var/lib/edge-runtime for root or when it
    exists, else the user's own.

    Raises:
        ConfigurationError: it is that of a service and of root, and this user may not even look.
    """
    for name in ("EDGE_RUNTIME_STORE", "STATE_DIRECTORY"):
        if os.environ.get(name):
            return Path(os.environ[name].split(":")[0])
    if os.geteuid() == 0:
        return SYSTEM_STORE
    try:
        if (SYSTEM_STORE / "state.json").exists():
            return SYSTEM_STORE
    except PermissionError as error:  # systemd keeps the state of a service with DynamicUser where only root may go
        raise ConfigurationError(
            f"The installed models in {SYSTEM_STORE} belong to the service, and this user may not read them "
            f"({error.strerror}). Use sudo; or name a file with `model`, or your own store with EDGE_RUNTIME_STORE."
        ) from error
    return Path(os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()) / "edge-runtime"


class Store:
    """The store in ``folder``, which need not exist yet: then the shipped model is in use."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_store()
        self.state_path = self.folder / "state.json"
        # A file of its own: a damaged state may be removed, and no old model shall come in by that.
        self._floor_path = self.folder / "floor"

    def state(self) -> StoreState:
        """What is in use.

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
        """The file of the model in use. Raises what `state` raises."""
        return self.path_of(self.state().current)

    def add(self, content: bytes, version: int = 0, *, again: bool = False) -> str:
        """Puts a model that was checked and tried into use as a candidate; gives its SHA-256. It may be in use already.

        Raises:
            ModelError: it was refused before and ``again`` is not set.
            SignatureError: its version is below the floor.
            EdgeRuntimeError: it cannot be written; the model in use is unchanged.
        """
        from edge_runtime.store.runs import settle_runs  # reading a store does without it

        model = hashlib.sha256(content).hexdigest()
        with self.changing() as state:
            self.expect_welcome(state, model, version, again=again)
            if state.current == model:
                return model
            path = self.path_of(model)
            _make_folder(path.parent)
            expect_own_folder(path.parent)
            if not path.exists():
                write_durably(path, content)
            history = (*(entry for entry in state.history if entry != model), model)[-NUM_KEPT:]
            refused = {key: reason for key, reason in state.refused.items() if key != model}
            settle_runs(self.folder, model)  # what is left of an earlier time as a candidate says nothing now
            changed = dataclasses.replace(state, history=history, probation=True, failed_starts=0, refused=refused)
            # At once, for the device may not label for days; going back to what is in the history is no installation.
            self._write(dataclasses.replace(changed, floor=max(state.floor, version)))
        return model

    def expect_welcome(self, state: StoreState, model: str, version: int, *, again: bool) -> None:
        """Raises what `add` raises for a model that must not come back or is too old."""
        if model in state.refused and not again:
            raise ModelError(
                f"The model {model[:12]} was tried before and refused: {state.refused[model]} Convert a better one, or "
                "install it with `again`."
            )
        if version < state.floor and model not in state.history:
            raise SignatureError(
                f"The model has version {version}, but this device had version {state.floor} already and takes no "
                "older one. Sign it with a higher version, or go back with: edge-runtime rollback."
            )

    def rollback(
        self, reason: str | None = None, expected: str | None = None, wait_s: float = LOCK_WAIT_S
    ) -> StoreState:
        """Goes back to the model before; with a ``reason``, the one left is remembered as refused.

        With ``expected``, only that model is left: when another came into use meanwhile, that one stays, and the
        expected one is no longer one to go back to.

        Raises:
            MissingInputError: there is none before.
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
        """``model``, if still in use, has passed its health check."""
        with self.changing() as state:
            if state.current == model and (state.probation or state.failed_starts):
                self._write(dataclasses.replace(state, probation=False, failed_starts=0))

    def begin_run(self, model: str, wait_s: float = LOCK_WAIT_S) -> tuple[StoreState, OpenRun | None]:
        """Notes that a run of a candidate begins, and how those before ended: the new state, and the run to be
        ended; None when the model is no candidate any more.

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
        """Holds the store's lock; gives the state. Removes what a killed installation left behind.

        Raises:
            EdgeRuntimeError: this user may not change the store, or another change holds it for ``wait_s`` seconds.
        """
        _make_folder(self.folder)
        with lock_store(self.folder, wait_s):
            state = self.state()
            self._sweep(state)
            yield state

    def _sweep(self, state: StoreState) -> None:
        """Removes what nobody needs any more; by exact names, for a store may lie among files that are not ours."""
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


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
    except OSError as error:
        raise EdgeRuntimeError(
            f"The folder {folder} cannot be made ({error.strerror}); try sudo, or set EDGE_RUNTIME_STORE."
        ) from error
