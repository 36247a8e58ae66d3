"""Files appear whole or not at all, and never replace another one unasked."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.errors import DataError, EdgeRuntimeError, UsageError
from edge_runtime.system.durable import write_durably


def refuse_to_overwrite(path: Path, *, force: bool) -> None:
    """Raises UsageError when ``path`` exists and ``force`` is not set: asked before hours of work, not after."""
    if path.exists() and not force:
        raise UsageError(f"{path} exists and is not overwritten unasked. Give --force to replace it, or another --out.")


def write_atomically(path: Path, content: bytes, *, force: bool) -> None:
    """Writes ``content`` to ``path``, whole or not at all; makes the folders that it needs.

    Raises:
        UsageError: ``path`` exists and ``force`` is not set.
        DataError: the folder cannot be written to.
    """
    refuse_to_overwrite(path, force=force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}); expected a folder that files can be made in."
        ) from error
    try:
        write_durably(path, content)
    except EdgeRuntimeError as error:
        raise DataError(str(error)) from error
