"""The log of what was sorted: one line of JSON per image, append-only; the last line for an image counts."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_runtime.system.json_line import to_json_line


def append_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Adds ``lines`` in one write, so that a crash leaves whole lines and at most one that is cut, which readers pass
    over.
    """
    if not lines:
        return
    text = "".join(to_json_line(line, allow_nan=True) + "\n" for line in lines)
    with open(path, "ab") as file:
        if file.tell() and not _ends_with_newline(path):
            text = f"\n{text}"
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def read_log_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log of sorted images, oldest first."""
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict) and "sha256" in value:
                found.append(value)
    return found


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
