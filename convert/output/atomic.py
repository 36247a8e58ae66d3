"""Files appear whole or not at all, and never replace another one unasked."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from edge_runtime.errors import DataError, UsageError


def refuse_to_overwrite(path: Path, *, force: bool) -> None:
    """Raises UsageError when ``path`` exists and ``force`` is not set: asked before hours of work, not after."""
    if path.exists() and not force:
        raise UsageError(f"{path} exists and is not overwritten unasked. Give --force to replace it, or another --out.")


def write_atomically(path: Path, content: bytes, *, force: bool) -> None:
    """Writes ``content`` to a temporary file beside ``path``, then renames it.

    Raises:
        UsageError: ``path`` exists and ``force`` is not set.
        DataError: the folder cannot be written to.
    """
    refuse_to_overwrite(path, force=force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}); expected a folder that files can be made in."
        ) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise DataError(
            f"{path} cannot be written ({error.strerror}); expected free space and a file name there."
        ) from error
