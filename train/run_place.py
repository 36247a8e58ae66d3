"""Whether a run may be written where the user said: asked before any work, so without TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path

from edge_runtime.errors import UsageError


def expect_free(out: Path, checkpoints: Path) -> None:
    """Raises UsageError when a finished or an unfinished run is already there."""
    if out.exists():
        raise UsageError(f"{out} already exists and would be overwritten; choose another --out, or give --force.")
    if checkpoints.exists():
        raise UsageError(
            f"{checkpoints} holds an unfinished run; give --resume to go on with it, or --force to start again."
        )


def expect_same_data(out: Path, data: str) -> None:
    """Raises UsageError when the finished run at ``out`` was trained on something else than ``data``."""
    path = out / "config.json"
    saved = str(json.loads(path.read_text("utf-8"))["data"]) if path.is_file() else data
    if saved != data and Path(saved).expanduser().resolve() != Path(data).expanduser().resolve():
        raise UsageError(
            f"{out} was trained on {saved}, not on {data}. Give the new run a name of its own (--out, or RUN=... with "
            "make), or --force to replace it."
        )
