"""The state of training after an epoch, in one file that is replaced whole: a killed run finds the old or the new one.

Plain arrays in an .npz and a JSON text; never a pickle. Random numbers need no state here: every batch draws from
(seed, epoch, batch).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ConfigurationError, DataError, EdgeRuntimeError
from edge_runtime.system.durable import write_durably

FILE_NAME = "checkpoint.npz"
GROUPS = ("weights", "optimizer", "average", "best")
Arrays = list[NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """After ``epoch`` epochs: raw weights, the optimizer's variables, averaged weights, the best epoch's weights.

    ``history`` has one JSON object per epoch; ``config`` is the configuration that must not change on resume.
    """

    epoch: int
    weights: Arrays
    optimizer: Arrays
    average: Arrays
    best: Arrays
    best_accuracy: float
    history: list[dict[str, float]]
    config: dict[str, Any]


def save_checkpoint(folder: Path, state: Checkpoint) -> None:
    """Writes ``folder``/checkpoint.npz; after a crash it is the old one or the new one, whole.

    Raises:
        EdgeRuntimeError: the file system is full or may not be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EdgeRuntimeError(f"The folder {folder} cannot be made ({error.strerror}).") from error
    arrays = {f"{group}/{i:04d}": array for group in GROUPS for i, array in enumerate(getattr(state, group))}
    facts = {
        "epoch": state.epoch,
        "best_accuracy": state.best_accuracy,
        "history": state.history,
        "config": state.config,
        "random": {"rule": "numpy default_rng([seed, stream, epoch, batch])", "next_epoch": state.epoch},
    }
    content = io.BytesIO()
    np.savez(content, facts=np.array(json.dumps(facts, sort_keys=True)), **arrays)
    write_durably(folder / FILE_NAME, content.getvalue())


def keep_checkpoint(folder: Path, state: Checkpoint, note: Callable[[str], None]) -> None:
    """As `save_checkpoint`; if it cannot be written, ``note`` gets the reason, and training continues without it."""
    try:
        save_checkpoint(folder, state)
    except EdgeRuntimeError as error:
        note(f"warning: no checkpoint after epoch {state.epoch}: {error} Training continues.")


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The saved state, or None when there is none. Raises DataError when the file is damaged."""
    path = folder / FILE_NAME
    if not path.exists():
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            keys = sorted(file.files)
            groups = {group: [file[key] for key in keys if key.startswith(f"{group}/")] for group in GROUPS}
        return Checkpoint(
            epoch=facts["epoch"],
            best_accuracy=facts["best_accuracy"],
            history=facts["history"],
            config=facts["config"],
            **groups,
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"The checkpoint {path} cannot be read ({error}); expected what an earlier run wrote. "
            "Start again with --force."
        ) from error


def expect_same(saved: dict[str, Any], wanted: dict[str, Any], folder: Path) -> None:
    """Raises ConfigurationError when a checkpoint's configuration is not the expected one; names what differs."""
    keys = sorted(key for key in saved.keys() | wanted.keys() if saved.get(key) != wanted.get(key))
    if keys:
        raise ConfigurationError(
            f"The checkpoint in {folder} was made with another {', '.join(keys)}: "
            f"{[saved.get(key) for key in keys]} there, {[wanted.get(key) for key in keys]} now. "
            "Resume with the same settings, or start again with --force."
        )
