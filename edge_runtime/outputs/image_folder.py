"""Images in a folder, each with a line of JSON and perhaps an SVG, that never exceed its limit or fill the disk.

It deletes its own oldest images with their JSON and SVG files, and nothing that it did not write.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections import deque
from pathlib import Path

from edge_runtime.errors import OutputError
from edge_runtime.system.durable import UNFINISHED, replace_file

OWN_NAME = re.compile(rf"({re.escape(UNFINISHED)})?(\d{{8}}T\d{{6}}\.\d{{3}}Z-\d{{8,}})\.(?:jpg|json|svg)(?:-\d+)?")
KEEP_FREE_BYTES = 100 * 1000 * 1000


class ImageFolder:
    """``limit_bytes`` caps the total size of its files; ``keep_free_bytes`` of the disk are left to others.

    Raises:
        OutputError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path, limit_bytes: int, keep_free_bytes: int = KEEP_FREE_BYTES) -> None:
        self._folder, self._limit_bytes, self._keep_free_bytes = folder, limit_bytes, keep_free_bytes
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sizes = self._scan()
        except OSError as error:
            raise OutputError(
                f"Images cannot be saved in {folder} ({error.strerror}); choose a folder that this user may write."
            ) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(
                f"Images cannot be saved in {folder} (no permission); choose a folder that this user may write."
            )
        self._pairs: deque[tuple[str, int]] = deque(sorted(sizes.items()))
        self.num_bytes = sum(sizes.values())

    def save(self, name: str, jpeg: bytes, line: str, svg: str = "") -> None:
        """Writes ``name``.json, ``name``.svg unless ``svg`` is empty, then ``name``.jpg; the oldest files are deleted
        first when there is no room.

        Raises:
            OSError: the disk is full, read-only or gone, or the pair alone is larger than the limit.
        """
        content, drawing = line.encode(), svg.encode()
        size = len(jpeg) + len(content) + len(drawing)
        if size > self._limit_bytes:
            raise OSError(errno.EFBIG, f"the image has {size:,} bytes, the limit is {self._limit_bytes:,}")
        while self._pairs and self.num_bytes + size > self._limit_bytes:
            self._delete_oldest()
        while self._free_bytes() - size < self._keep_free_bytes:
            if not self._pairs:
                raise OSError(errno.ENOSPC, f"less than {self._keep_free_bytes / 1e6:g} MB are free")
            self._delete_oldest()
        # Counted before it is written, so that a pair left half-written by a full disk is deleted when its turn comes.
        self._pairs.append((name, size))
        self.num_bytes += size
        try:
            self._write(f"{name}.json", content)
            if drawing:
                self._write(f"{name}.svg", drawing)
            self._write(f"{name}.jpg", jpeg)
        except OSError:
            self._delete(*self._pairs.pop())
            raise

    def _scan(self) -> dict[str, int]:
        sizes: dict[str, int] = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                match = OWN_NAME.fullmatch(entry.name)
                if match is None or not entry.is_file(follow_symlinks=False):
                    continue
                if match.group(1):  # left by a process that was killed
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)
                else:
                    sizes[match.group(2)] = sizes.get(match.group(2), 0) + entry.stat().st_size
        return sizes

    def _write(self, name: str, content: bytes) -> None:
        replace_file(self._folder / name, content, mode=0o600, sync=False)

    def _free_bytes(self) -> int:
        state = os.statvfs(self._folder)
        return state.f_bavail * state.f_frsize

    def _delete_oldest(self) -> None:
        self._delete(*self._pairs[0])
        self._pairs.popleft()

    def _delete(self, name: str, size: int) -> None:
        """Raises OSError when the disk refuses (read-only); files that are already gone count as deleted."""
        for ending in (".jpg", ".svg", ".json"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._folder / f"{name}{ending}")
        self.num_bytes -= size
