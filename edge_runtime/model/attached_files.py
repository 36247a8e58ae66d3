"""What other converters append to a flatbuffer in a zip: the labels of TFLite Metadata, and Ultralytics' own notes."""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from edge_runtime.errors import ModelError
from edge_runtime.model.labels.text import decode_labels

MAX_ATTACHED_BYTES = 4_000_000
_LOCAL_FILE_HEADER = b"PK\x03\x04\x14\x00"
# Label lists that no metadata names.
_LABEL_LIST = re.compile(r"(?:label|class)[\w-]*\.(?:txt|json)|[\w-]*labels?\.txt", re.I)
_ZIP_END = b"PK\x05\x06"
# Newer versions write JSON, older ones the text of a Python dictionary.
_ULTRALYTICS = ("metadata.json", "temp_meta.txt", "meta.txt")


@dataclass(frozen=True)
class Attached:
    """``labels`` is the text of a label list, None without one; ``size`` (height, width) and ``resize`` come from the
    notes, None if they do not say.
    """

    labels: str | None = None
    size: tuple[int, int] | None = None
    resize: str | None = None
    is_ultralytics: bool = False


def read_attached(content: bytes, label_file: str, name: str) -> Attached:
    """What is in the zip at the end of ``content``; ``label_file`` is the list that metadata names, or "".

    Raises:
        ModelError: the named list is missing or cannot be read, the zip was cut short, or the notes say that the model
            is not a classifier.
    """
    # A file that was cut short inside its appended zip still has the beginning of the zip.
    is_cut = _ZIP_END not in content[-65_557:] and _LOCAL_FILE_HEADER in content
    try:
        # Since Python 3.14 `is_zipfile` itself raises ValueError for a damaged end.
        if not (label_file or is_cut or zipfile.is_zipfile(io.BytesIO(content))):
            return Attached()
        if is_cut:
            raise zipfile.BadZipFile("no end of the zip")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.namelist()
            for member in _ULTRALYTICS:
                notes = _parse_notes(_read(archive, member)) if member in members else None
                if notes is not None:
                    return _ultralytics(notes, name)
            listed = [member for member in members if _LABEL_LIST.fullmatch(PurePath(member).name)]
            found = label_file or (listed[0] if len(listed) == 1 else "")
            return Attached(labels=_read(archive, found) if found else None)
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"{name} ({len(content)} bytes) should have the file {label_file!r} in a zip at its end, which "
            f"cannot be read ({error}): the file was cut short or damaged. Copy it again."
        ) from error


def _read(archive: zipfile.ZipFile, member: str) -> str:
    info = archive.getinfo(member)
    if info.file_size > MAX_ATTACHED_BYTES:
        raise zipfile.BadZipFile(f"{info.file_size} bytes of {member}, at most {MAX_ATTACHED_BYTES} are read")
    return decode_labels(archive.read(info))


def _parse_notes(text: str) -> dict[str, Any] | None:
    """The dictionary in Ultralytics' notes; None for any other file of that name."""
    try:
        notes = json.loads(text)
    except (ValueError, RecursionError):
        try:
            notes = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    return notes if isinstance(notes, dict) and "names" in notes else None


def _ultralytics(notes: dict[str, Any], name: str) -> Attached:
    task = notes.get("task", "classify")
    if task != "classify":
        raise ModelError(f"{name} is an Ultralytics model for the task {task!r}, expected 'classify'.")
    size = notes.get("imgsz")
    if isinstance(size, int):
        size = [size, size]
    is_size = isinstance(size, (list, tuple)) and len(size) == 2 and all(isinstance(side, int) for side in size)
    return Attached(
        labels=json.dumps(notes["names"]),
        size=(size[0], size[1]) if size and is_size else None,
        # Ultralytics validates its classifiers on the centre square.
        resize="crop",
        is_ultralytics=True,
    )
