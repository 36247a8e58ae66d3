"""Whether the run directories that a user names are fit for their purpose: checked before any work, so quickly."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from edge_runtime.errors import OutputError, UsageError
from edge_runtime.system.durable import expect_writable
from train.recipes.config import TeacherRun


def expect_free(out: Path, checkpoints: Path) -> None:
    """Raises UsageError when a finished or an unfinished run is already there."""
    if out.exists():
        raise UsageError(f"{out} already exists and would be overwritten; choose another --out, or give --force.")
    if checkpoints.exists():
        raise UsageError(
            f"{checkpoints} holds an unfinished run; give --resume to continue it, or --force to start again."
        )


def expect_room(out: Path) -> None:
    """Raises OutputError when no run can be written at ``out``."""
    try:
        expect_writable(out.absolute().parent)
    except OutputError as error:
        raise OutputError(f"--out {out} cannot be written: {error}") from error


def expect_same_data(out: Path, data: str) -> None:
    """Raises UsageError when the finished run at ``out`` was trained on something other than ``data``."""
    path = out / "config.json"
    saved = str(json.loads(path.read_text("utf-8"))["data"]) if path.is_file() else data
    if saved != data and Path(saved).expanduser().resolve() != Path(data).expanduser().resolve():
        raise UsageError(
            f"{out} was trained on {saved}, not on {data}. Give the new run a name of its own (--out, or RUN=... with "
            "make), or --force to replace it."
        )


def find_teacher_run(folder: Path, flag: str = "--teacher") -> TeacherRun:
    """What identifies the run in ``folder``, named by ``flag``. Raises UsageError when that is not a run directory."""
    model, config = folder / "model.keras", folder / "config.json"
    if not (model.is_file() and config.is_file()):
        raise UsageError(
            f"{flag} {folder} has no model.keras and config.json, expected a run directory of `python -m train`."
        )
    name = str(json.loads(config.read_text("utf-8"))["name"])
    return TeacherRun(name, hashlib.sha256(model.read_bytes()).hexdigest())
