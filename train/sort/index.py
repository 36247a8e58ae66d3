"""What is known of each image file by its path, size and time: SHA-256, looks and a thumbnail, made once and kept.

The file is a cache: if it is deleted, the next start takes a moment longer, and nothing is lost.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge_runtime.errors import DataError
from edge_runtime.pixels.image_file import decode_image
from train.datasets.near_duplicates import ImageFacts, describe_image

THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 256, 80
COMMIT_EVERY = 200
_TABLE = """CREATE TABLE IF NOT EXISTS images (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT,
hash TEXT, colours BLOB, thumbnail BLOB)"""


@dataclass(frozen=True)
class IndexedImage:
    """An image file's SHA-256 in hex, its 64-bit perceptual hash and (12, 12, 3) uint8 BGR colours; None for both
    when it cannot be decoded.
    """

    sha256: str
    hash: int | None
    colours: bytes | None

    @property
    def readable(self) -> bool:
        """Whether it could be decoded."""
        return self.colours is not None


class ImageIndex:
    """Facts and thumbnails of image files, kept in the SQLite file ``path``."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False)
        # A cache may lose its last entries in a power cut, but must not wait for the disk.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(_TABLE)

    def read(self, files: Sequence[Path], step: Callable[[], None] = lambda: None) -> list[IndexedImage]:
        """What is known of each of ``files``, looked at where it is new or changed; ``step`` is called for each."""
        found = []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for number, image in enumerate(pool.map(self._image, files)):
                found.append(image)
                step()
                if number % COMMIT_EVERY == 0:
                    self._commit()
        self._commit()
        return found

    def thumbnail(self, file: Path) -> bytes | None:
        """The JPEG thumbnail of ``file``, at most 256 pixels wide and high; None when it was never read."""
        with self._lock:
            row = self._connection.execute("SELECT thumbnail FROM images WHERE path = ?", (str(file),)).fetchone()
        return row[0] if row else None

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _commit(self) -> None:
        with self._lock:
            self._connection.commit()

    def _image(self, file: Path) -> IndexedImage:
        state = file.stat()
        key = (str(file), state.st_size, state.st_mtime_ns)
        with self._lock:
            row = self._connection.execute(
                "SELECT sha256, hash, colours FROM images WHERE path = ? AND size = ? AND mtime_ns = ?", key
            ).fetchone()
        if row:
            return IndexedImage(row[0], None if row[1] is None else int(row[1]), row[2])
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        facts, thumbnail = look_at(content, str(file))
        image = IndexedImage(digest, facts.hash if facts else None, facts.thumbnail if facts else None)
        values = (*key, digest, None if facts is None else str(facts.hash), image.colours, thumbnail)
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        return image


def look_at(content: bytes, name: str) -> tuple[ImageFacts | None, bytes | None]:
    """Facts and JPEG thumbnail of an image file's bytes; None for both when it is no image."""
    try:
        frame = decode_image(content, name)
    except DataError:
        return None, None
    scale = min(1.0, THUMBNAIL_SIDE / max(frame.shape[:2]))
    size_wh = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
    small = cv2.resize(frame, size_wh, interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, THUMBNAIL_QUALITY])[1]
    return describe_image(frame), coded.tobytes()
