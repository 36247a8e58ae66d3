"""Whether a run may be written where the user said: asked before any work, so without TensorFlow."""

from __future__ import annotations

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
