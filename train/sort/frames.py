"""The saved frames below a folder, with what the device wrote beside each: its time, camera and label.

A frame without such a line still counts: its file says when it was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge_runtime.errors import MissingInputError
from edge_runtime.pixels.image_file import IMAGE_SUFFIXES

STAMP = re.compile(r"(\d{8}T\d{6})\.(\d{3})Z")


@dataclass(frozen=True)
class SavedFrame:
    """One saved frame. ``camera`` is its folder below the one that was asked for, "" for none; ``ts`` in seconds.

    ``scores`` maps labels to probabilities in [0, 1], the best ones only, empty where no model looked; ``record`` is
    the device's whole line.
    """

    path: Path
    camera: str
    ts: float
    scores: Mapping[str, float] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def day(self) -> str:
        """The day of the frame in UTC, as 2026-11-25."""
        return datetime.fromtimestamp(self.ts, timezone.utc).strftime("%Y-%m-%d")


def find_frames(folder: Path) -> list[SavedFrame]:
    """Every image file below ``folder``, hidden ones apart, in the order of cameras and times.

    Raises:
        MissingInputError: there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise MissingInputError(f"There is no folder {folder}; expected one with frames, as make fetch writes it.")
    files = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]
    if not files:
        raise MissingInputError(
            f"There is no image in {folder}; expected frames that edge-runtime run --save-uncertain or collect saved, "
            "or other photos."
        )
    frames = [_frame(path, folder) for path in files]
    return sorted(frames, key=lambda frame: (frame.camera, frame.ts, frame.path.name))


def _frame(path: Path, folder: Path) -> SavedFrame:
    record = _record(path.with_suffix(".json"))
    ts = record.get("ts")
    return SavedFrame(
        path=path,
        camera=path.parent.relative_to(folder).as_posix().removeprefix("."),
        ts=float(ts) if isinstance(ts, (int, float)) and _is_number(ts) else _time_of(path),
        scores=_scores(record),
        record=record,
    )


def _record(path: Path) -> dict[str, Any]:
    try:
        line = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return line if isinstance(line, dict) else {}


def _scores(record: Mapping[str, Any]) -> dict[str, float]:
    top = record.get("top")
    if not isinstance(top, list):
        return {}
    return {
        str(entry["label"]): float(entry["score"])
        for entry in top
        if isinstance(entry, dict) and isinstance(entry.get("label"), str) and _is_number(entry.get("score"))
    }


def _time_of(path: Path) -> float:
    if match := STAMP.search(path.name):
        moment = datetime.strptime(match.group(1), "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)
        return moment.timestamp() + int(match.group(2)) / 1000
    return path.stat().st_mtime


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e11
