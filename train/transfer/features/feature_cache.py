"""The frozen network's features of an image, kept between runs by the image's content: a second run starts at once.

One file per network and input, with records of one length; a damaged or truncated record is ignored, never believed.
Where nothing can be written, the rows of this run are kept in memory.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.system.shared_file import open_shared, read_at, unlock, wait_for_lock, write_at

Features = NDArray[np.float16]
MAX_BYTES = 512 * 1024 * 1024
DIGEST_BYTES, CHECKSUM_BYTES = 32, 4


class FeatureCache:
    """Rows of ``num`` float16 features by an image's SHA-256; ``network`` names whatever else they depend on."""

    def __init__(self, folder: Path, network: str, num: int) -> None:
        self.num = num
        self._size = DIGEST_BYTES + num * 2 + CHECKSUM_BYTES
        self._memory: dict[bytes, Features] = {}
        key = hashlib.sha256(f"{network}/{num}".encode()).hexdigest()[:16]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = open_shared(folder / f"features-{key}.bin")
        except OSError:
            self._descriptor = _open_elsewhere()
        # A file grown too large starts anew; within a run it only grows, because the run needs what it has added.
        if os.fstat(self._descriptor).st_size > MAX_BYTES:
            os.ftruncate(self._descriptor, 0)
        self._places = self._scan()

    def __len__(self) -> int:
        return len(self._places) + len(self._memory)

    def get(self, sha256: str) -> Features | None:
        """The features of the image with this SHA-256 (hex), or None when they are not known."""
        place = self._places.get(bytes.fromhex(sha256))
        if place is None:
            return self._memory.get(bytes.fromhex(sha256))
        return self._features(read_at(self._descriptor, self._size, place))

    def put(self, sha256: list[str], features: Features) -> None:
        """Adds (n, num) float16 rows; if the disk is full, for this run only."""
        rows = b"".join(
            _seal(bytes.fromhex(digest) + row.tobytes()) for digest, row in zip(sha256, features, strict=True)
        )
        # Two runs may share the file: each appends whole records while it alone holds the lock.
        wait_for_lock(self._descriptor)
        try:
            end = os.fstat(self._descriptor).st_size // self._size * self._size
            write_at(self._descriptor, rows, end)
        except OSError:
            self._memory |= {bytes.fromhex(digest): row for digest, row in zip(sha256, features, strict=True)}
            return
        finally:
            unlock(self._descriptor)
        for number, digest in enumerate(sha256):
            self._places[bytes.fromhex(digest)] = end + number * self._size

    def close(self) -> None:
        """Closes the file; nothing can be read or added afterwards."""
        os.close(self._descriptor)

    def _scan(self) -> dict[bytes, int]:
        places = {}
        for place in range(0, os.fstat(self._descriptor).st_size - self._size + 1, self._size):
            places[read_at(self._descriptor, DIGEST_BYTES, place)] = place
        return places

    def _features(self, record: bytes) -> Features | None:
        if len(record) != self._size or _seal(record[:-CHECKSUM_BYTES]) != record:
            return None
        return np.frombuffer(record[DIGEST_BYTES:-CHECKSUM_BYTES], np.float16)


def _open_elsewhere() -> int:
    """A nameless file in the system's temporary folder."""
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _seal(content: bytes) -> bytes:
    return content + zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "little")
