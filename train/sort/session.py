"""One sorting session: the remaining frames, in groups, and each step with its undo.

Calls may come from several threads; one at a time changes anything.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TextIO

from edge_runtime.errors import UsageError
from edge_runtime.pixels.image_file import decode_image
from train.progress import Stage
from train.sort.class_folders import BACKGROUND, DISCARD, ClassFolders, Original, expect_label
from train.sort.frames import SavedFrame, find_frames
from train.sort.grouping import Looks, describe_looks, group, strangeness, suggestion
from train.sort.index import ImageIndex, IndexedImage


@dataclass(frozen=True)
class Tile:
    """A group of frames that look the same: their numbers, the suggested label ("" for none) with its mean score in
    [0, 1], and how unlike the sorted images it is, mean of 0..255.
    """

    members: tuple[int, ...]
    label: str
    score: float
    strangeness: float


@dataclass(frozen=True)
class Labelled:
    """Frames by number and the class that they get."""

    frames: tuple[int, ...]
    label: str


@dataclass
class _Step:
    """What a step changed: each frame's class before it, None where it had none; the images of a burst by a camera."""

    before: dict[int, str | None] = field(default_factory=dict)
    captured: list[Original] = field(default_factory=list)
    burst: str = ""


class Session:
    """``frames`` are those that can be sorted, by number; ``num_copies`` files had the bytes of another one."""

    def __init__(
        self,
        source: Path | None,
        folders: ClassFolders,
        index: ImageIndex,
        labels: Sequence[str] = (),
        progress: TextIO | None = None,
    ) -> None:
        for label in labels:
            expect_label(label)
        self._folders, self._index, self._lock = folders, index, threading.Lock()
        self._asked_labels = tuple(labels)
        self._steps: list[_Step] = []
        self.num_copies = self.num_unreadable = 0
        found, images = self._read(source, progress) if source is not None else ([], [])
        self.frames: tuple[SavedFrame, ...] = tuple(found)
        names = _names(self.frames)
        self._originals = tuple(
            Original(frame.path, image.sha256, name, frame.record)
            for frame, image, name in zip(self.frames, images, names, strict=True)
        )
        folders.note(self._originals)
        self._seen = {label for frame in self.frames for label in frame.scores}
        self._owners = group(images)
        self._strangeness = self._distances(describe_looks(images)) if images else []

    def labels(self) -> list[str]:
        """The classes: those that were asked for, those with a folder, and, where there are neither, the model's."""
        own = [*self._asked_labels, *self._folders.labels]
        named = list(dict.fromkeys(own)) or sorted(self._seen)
        return [label for label in named if label not in (BACKGROUND, DISCARD)]

    def counts(self) -> dict[str, int]:
        """Images in each class."""
        with self._lock:
            return self._folders.counts()

    def tiles(self) -> list[Tile]:
        """The groups of frames that have no class yet."""
        with self._lock:
            members: dict[int, list[int]] = {}
            for number, owner in enumerate(self._owners):
                if self._folders.label_of(self._originals[number].sha256) is None:
                    members.setdefault(owner, []).append(number)
            labels = [*self.labels(), BACKGROUND]
        return [self._tile(numbers, labels) for numbers in members.values()]

    def put(self, steps: Sequence[Labelled]) -> None:
        """Gives frames their classes, as one step.

        Raises:
            UsageError: there is no such frame, or a label cannot be a class's.
            DataError: an original has changed or is gone.
            EdgeRuntimeError: the disk is full; `undo` takes back what was done until then.
        """
        for step in steps:
            expect_label(step.label)
            self._expect_frames(step.frames)
        done = _Step()
        with self._lock:
            self._steps.append(done)
            for step in steps:
                for number in step.frames:
                    done.before.setdefault(number, self._folders.label_of(self._originals[number].sha256))
                self._folders.put([self._originals[number] for number in step.frames], step.label)

    def capture(self, content: bytes, label: str, burst: str) -> bool:
        """Writes an image that the browser's camera took into a class; a burst is one step. False for one that is
        there already.

        Raises:
            DataError: it is no image.
            UsageError: the label cannot be a class's.
            EdgeRuntimeError: the disk is full.
        """
        decode_image(content, "What the browser's camera took")
        moment = datetime.now(timezone.utc)
        name = f"capture-{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z.jpg"
        with self._lock:
            added = self._folders.add(content, name, label)
            if added is None:
                return False
            if not self._steps or not burst or self._steps[-1].burst != burst:
                self._steps.append(_Step(burst=burst))
            self._steps[-1].captured.append(added)
        return True

    def undo(self) -> tuple[int, ...]:
        """Takes the last step back; the frames that it had changed, none where there is no step left.

        Copies leave their classes; what has no original, a camera's images, is discarded.

        Raises:
            DataError: an original is gone, so its copy stays.
        """
        with self._lock:
            if not self._steps:
                return ()
            self._folders.put(self._steps[-1].captured, DISCARD)
            before = self._steps[-1].before
            self._folders.take_back([self._originals[number] for number, label in before.items() if label is None])
            for label in {label for label in before.values() if label is not None}:
                self._folders.put([self._originals[number] for number in before if before[number] == label], label)
            self._steps.pop()
            return tuple(before)

    def thumbnail(self, number: int) -> bytes | None:
        """The JPEG thumbnail of a frame."""
        self._expect_frames([number])
        return self._index.thumbnail(self.frames[number].path)

    def _expect_frames(self, numbers: Sequence[int]) -> None:
        wrong = [number for number in numbers if not 0 <= number < len(self.frames)]
        if wrong:
            raise UsageError(
                f"There is no frame {wrong[0]}; expected 0 to {len(self.frames) - 1}: load the page again."
            )

    def _tile(self, numbers: Sequence[int], labels: Sequence[str]) -> Tile:
        label, score = suggestion([self.frames[number].scores for number in numbers], labels)
        return Tile(tuple(numbers), label, score, max(self._strangeness[number] for number in numbers))

    def _read(self, source: Path, progress: TextIO | None) -> tuple[list[SavedFrame], list[IndexedImage]]:
        frames = find_frames(source)
        stage = Stage(progress, f"looking at the frames in {source.name}", len(frames)) if progress else None
        images = self._index.read([frame.path for frame in frames], stage.step if stage else lambda: None)
        first: dict[str, int] = {}
        for number, image in enumerate(images):
            if image.readable:
                first.setdefault(image.sha256, number)
            else:
                self.num_unreadable += 1
        self.num_copies = len(frames) - self.num_unreadable - len(first)
        kept = sorted(first.values())
        return [frames[number] for number in kept], [images[number] for number in kept]

    def _distances(self, looks: Looks) -> list[float]:
        known = [image for image in self._index.read(self._folders.images()) if image.readable]
        return strangeness(looks, describe_looks(known))


def _names(frames: Sequence[SavedFrame]) -> list[str]:
    """The names of the copies: the camera in front, so that two devices' frames never meet."""
    return ["-".join([*filter(None, frame.camera.split("/")), frame.path.name]) for frame in frames]


def make_page_object(session: Session) -> Mapping[str, object]:
    """All that the page shows, as JSON values."""
    tiles = session.tiles()
    days = Counter(session.frames[number].day for tile in tiles for number in tile.members)
    cameras = Counter(session.frames[number].camera for tile in tiles for number in tile.members)
    return {
        "labels": session.labels(),
        "counts": session.counts(),
        "num_frames": len(session.frames),
        "num_copies": session.num_copies,
        "num_unreadable": session.num_unreadable,
        "days": dict(sorted(days.items())),
        "cameras": dict(sorted(cameras.items())),
        "tiles": [
            {
                "frames": [_frame_object(session.frames[number], number) for number in tile.members],
                "label": tile.label,
                "score": round(tile.score, 4),
                "strangeness": round(tile.strangeness, 2),
            }
            for tile in tiles
        ],
    }


def _frame_object(frame: SavedFrame, number: int) -> list[object]:
    best = max(frame.scores.items(), key=lambda item: item[1], default=("", 0.0))
    return [number, frame.day, frame.camera, round(frame.ts, 3), best[0], round(best[1], 4)]
