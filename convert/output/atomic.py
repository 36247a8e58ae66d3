"""Files appear whole or not at all, and never replace another one unasked."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edge_runtime.errors import OutputError, UsageError
from edge_runtime.system.durable import expect_writable, replace_file


def refuse_to_overwrite(path: Path, *, force: bool) -> None:
    """Raises UsageError when ``path`` exists and ``force`` is not set."""
    if path.exists() and not force:
        raise UsageError(f"{path} exists and is not overwritten unasked. Give --force to replace it, or another --out.")


def expect_room(path: Path, *, force: bool) -> None:
    """Raises OutputError when ``path`` cannot be written, UsageError when it exists and ``force`` is not set:
    called before hours of work, not after.
    """
    refuse_to_overwrite(path, force=force)
    try:
        expect_writable(path.absolute().parent)
    except OutputError as error:
        raise OutputError(f"{path} cannot be written: {error}") from error


def write_text_atomically(path: Path, text: str) -> None:
    """As `write_atomically`, but replaces an existing file; a file name in ``text`` that is not UTF-8 is escaped.

    Raises:
        OutputError: ``path`` cannot be written; the text is kept in a temporary file, which the error names.
    """
    write_atomically(path, text.encode("utf-8", "backslashreplace"), force=True)


def write_atomically(path: Path, content: bytes, *, force: bool) -> None:
    """Writes ``content`` to ``path``, whole or not at all; makes missing folders.

    Raises:
        UsageError: ``path`` exists and ``force`` is not set.
        OutputError: ``path`` cannot be written; the content is kept in a temporary file, which the error names.
    """
    refuse_to_overwrite(path, force=force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); {_keep(path.name, content)}") from error


def _keep(name: str, content: bytes) -> str:
    """Puts ``content`` into the system's temporary folder; returns where it is, as the end of a sentence."""
    try:
        kept = Path(tempfile.mkdtemp(prefix="convert-")) / name
        kept.write_bytes(content)
    except OSError:
        return f"nor can {tempfile.gettempdir()}: make room and start again."
    return f"it is kept in {kept}. Make room and move it."
