"""The class folders that frames are sorted into: the files themselves say what is sorted, so a crash loses nothing.

Every content lies in at most one class. A copy is complete and on the disk before it has its name; a change of mind is
a rename. Images are copied in and moved between classes, never deleted: only a copy whose original is still there is
taken out again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import AlreadyRunningError, ConfigurationError, DataError, EdgeRuntimeError, UsageError
from edge_runtime.pixels.image_file import IMAGE_SUFFIXES
from edge_runtime.system.durable import UNFINISHED, sync_folder, write_durably
from edge_runtime.system.printable import is_plain_name
from edge_runtime.system.shared_file import open_shared, try_lock
from train.datasets.folder import UNKNOWN
from train.datasets.layout.split_names import SPLIT_NAMES
from train.sort.index import ImageIndex
from train.sort.sorted_log import append_lines, read_log_lines

DISCARD, BACKGROUND = "discard", "background"
# Hidden, so that training does not take it for a class.
DISCARDED, NOTES = ".discarded", ".sorted"
LOG = "sorted.jsonl"


@dataclass(frozen=True)
class Original:
    """A file that may be sorted: its SHA-256 in hex, the name that its copy gets, and what is known of it."""

    path: Path
    sha256: str
    name: str
    record: Mapping[str, Any]


class ClassFolders:
    """The images below ``folder`` (or its ``train/``) by class, one process at a time.

    Raises:
        ConfigurationError: the folder cannot be made or written.
        AlreadyRunningError: another process sorts into it.
    """

    def __init__(self, folder: Path, index: ImageIndex) -> None:
        self.root = folder / "train" if (folder / "train").is_dir() else folder
        self._notes = self.root / NOTES
        try:
            self._notes.mkdir(parents=True, exist_ok=True)
            self._lock = open_shared(self._notes / "lock")
        except OSError as error:
            raise ConfigurationError(
                f"Images cannot be sorted into {folder} ({error.strerror}); choose a folder that you may write."
            ) from error
        if not try_lock(self._lock):
            os.close(self._lock)
            raise AlreadyRunningError(f"Another process sorts into {folder}; use its page, or end it and start again.")
        self._places: dict[str, Path] = {}
        self._made: set[Path] = set()
        self._read(folder, index)
        self._logged = self._read_log()

    @property
    def labels(self) -> list[str]:
        """The classes that have a folder, in alphabetical order."""
        return sorted(path.name for path in self.root.iterdir() if path.is_dir() and not path.name.startswith("."))

    def counts(self) -> dict[str, int]:
        """How many images each class has, and `DISCARD`."""
        found = {label: 0 for label in self.labels}
        for path in self._places.values():
            label = self._label(path)
            found[label] = found.get(label, 0) + 1
        return found

    def images(self) -> list[Path]:
        """Every image that is sorted, discarded ones apart."""
        return [path for path in self._places.values() if self._label(path) != DISCARD]

    def label_of(self, sha256: str) -> str | None:
        """The class of the image with these bytes, None while it has none."""
        place = self._places.get(sha256)
        return None if place is None else self._label(place)

    def put(self, originals: Iterable[Original], label: str) -> None:
        """Copies ``originals`` into the class ``label``; what is in another class is moved from there.

        Raises:
            UsageError: the label cannot be a class's.
            DataError: an original has changed or is gone.
            EdgeRuntimeError: the disk is full; what was copied until then is sorted.
        """
        expect_label(label)
        target = self._folder_of(label)
        lines = []
        try:
            for original in originals:
                place = self._places.get(original.sha256)
                if place is not None and self._label(place) == label:
                    continue
                if place is not None:
                    self._move(place, original.sha256, target)
                else:
                    self._copy(original, target)
                lines.append(self._line(original, label))
        finally:
            append_lines(self._notes / LOG, lines)

    def add(self, content: bytes, name: str, label: str) -> Original | None:
        """Writes a new image into the class ``label``; None where one with these bytes is sorted already.

        Raises:
            UsageError: the label cannot be a class's.
            EdgeRuntimeError: the disk is full.
        """
        expect_label(label)
        target = self._folder_of(label)
        original = Original(target / name, hashlib.sha256(content).hexdigest(), name, {})
        if original.sha256 in self._places:
            return None
        place = _free_place(target, name, original.sha256)
        write_durably(place, content)
        self._places[original.sha256] = place
        append_lines(self._notes / LOG, [self._line(original, label)])
        return original

    def take_back(self, originals: Iterable[Original]) -> None:
        """Takes the copies of ``originals`` out of their classes; each original must still be in its place.

        Raises:
            DataError: an original has changed or is gone: its copy stays.
        """
        lines = []
        try:
            for original in originals:
                place = self._places.get(original.sha256)
                if place is None:
                    continue
                _content(original)
                place.unlink(missing_ok=True)
                sync_folder(place.parent)
                del self._places[original.sha256]
                self._leave(place.parent)
                lines.append(self._line(original, None))
        finally:
            append_lines(self._notes / LOG, lines)

    def note(self, originals: Iterable[Original]) -> None:
        """Adds to the log what was sorted just before a crash."""
        append_lines(
            self._notes / LOG,
            [
                self._line(original, label)
                for original in originals
                if (label := self.label_of(original.sha256)) and self._logged.get(original.sha256) != label
            ],
        )

    def close(self) -> None:
        """Lets another process sort."""
        os.close(self._lock)

    def _read(self, folder: Path, index: ImageIndex) -> None:
        for path in self.root.glob(f"*/{UNFINISHED}*"):  # left by a process that was killed
            path.unlink()
        (self.root / DISCARDED).mkdir(exist_ok=True)
        files = [
            path
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and self._counts(path.relative_to(folder))
        ]
        for path, image in zip(files, index.read(files), strict=True):
            self._places.setdefault(image.sha256, path)

    @staticmethod
    def _counts(path: Path) -> bool:
        hidden = [part for part in path.parts if part.startswith(".")]
        return not hidden or hidden == [DISCARDED]

    def _label(self, place: Path) -> str:
        # A class may have folders of its own; a held-out split's class counts as that class.
        parts = place.relative_to(self.root if place.is_relative_to(self.root) else self.root.parent).parts
        name = parts[0] if parts[0].lower() not in SPLIT_NAMES or len(parts) < 3 else parts[1]
        return DISCARD if name == DISCARDED else name

    def _copy(self, original: Original, target: Path) -> None:
        content = _content(original)
        place = _free_place(target, original.name, original.sha256)
        write_durably(place, content)
        self._places[original.sha256] = place

    def _move(self, place: Path, sha256: str, target: Path) -> None:
        to = _free_place(target, place.name, sha256)
        try:
            place.rename(to)
            sync_folder(target)
        except OSError as error:
            raise EdgeRuntimeError(
                f"{place} cannot be moved to {to} ({error.strerror}); it stays where it is. Check permissions."
            ) from error
        self._places[sha256] = to
        self._leave(place.parent)

    def _folder_of(self, label: str) -> Path:
        folder = self.root / (DISCARDED if label == DISCARD else label)
        if not folder.exists():
            folder.mkdir()
            self._made.add(folder)
        return folder

    def _leave(self, folder: Path) -> None:
        """Removes a class's folder that was made here and is empty again: training refuses a class without images."""
        if folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()
                self._made.discard(folder)

    def _line(self, original: Original, label: str | None) -> dict[str, Any]:
        self._logged[original.sha256] = label
        place = self._places.get(original.sha256)
        return {
            "sha256": original.sha256,
            "label": label,
            "file": None if place is None else place.relative_to(self.root).as_posix(),
            "from": original.name,
            "record": dict(original.record),
        }

    def _read_log(self) -> dict[str, str | None]:
        with contextlib.suppress(FileNotFoundError):
            return {str(line["sha256"]): line.get("label") for line in read_log_lines(self._notes / LOG)}
        return {}


def expect_label(label: str) -> None:
    """Raises UsageError unless ``label`` can be a class's name and its folder's."""
    plain = is_plain_name(label) and not label.startswith(".") and len(label) <= 100
    if not label or not plain or "/" in label or "\\" in label:
        raise UsageError(
            f"The class is {label!r}, expected a valid folder name: no slashes, no leading dot, no spaces at "
            "either end, at most 100 letters."
        )
    if label.lower() == UNKNOWN or label.lower() in SPLIT_NAMES:
        raise UsageError(
            f"The class is {label!r}, a word that training takes for something else; expected another, such as "
            f"{BACKGROUND}."
        )


def _content(original: Original) -> bytes:
    try:
        content = original.path.read_bytes()
    except OSError as error:
        raise DataError(f"{original.path} cannot be read ({error.strerror}); put it back, or start again.") from error
    if hashlib.sha256(content).hexdigest() != original.sha256:
        raise DataError(f"{original.path} has changed since it was read; start again to see it as it is now.")
    return content


def _free_place(folder: Path, name: str, sha256: str) -> Path:
    """``name`` in ``folder``; where another image has it, with the beginning of its hash."""
    place = folder / name
    if place.exists():
        place = place.with_name(f"{place.stem}-{sha256[:16]}{place.suffix}")
    return place
