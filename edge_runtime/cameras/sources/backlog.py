"""Tells whether bytes read from a connection have been waiting in it: after a gap between reads, they have.

Pure: it is given all times and byte counts. A process that was stopped or busy finds images in the buffers of both
ends; they look new when they are read. The backlog is over when the connection has run dry once, or when more has come
than the buffers hold. A connection is dry when nothing comes within a wait; bytes that come late prove nothing, because
on a busy machine the reader itself is late.
"""

from __future__ import annotations

# A stall: the connection was not read for this long.
STALL_S = 0.25
# The connection is dry when nothing comes for this fraction of the usual time between two images, within these limits.
DRY_SHARE, DRY_LEAST_S, DRY_MOST_S = 0.25, 0.002, 0.05
# More than Linux buffers for one connection at both ends together (tcp_rmem 6 MB, tcp_wmem 4 MB).
BUFFERED_BYTES = 12_000_000


class Backlog:
    """Told of every read of the connection; `take_old` says whether the next image is too old to be used."""

    def __init__(self, now_s: float) -> None:
        self.restart(now_s)

    def restart(self, now_s: float) -> None:
        """Starts again with a connection that is new at ``now_s``: nothing waits in it."""
        self._looked_s = now_s
        self._is_behind = self._is_begun = False
        self._num_bytes, self._dry_s = 0, DRY_MOST_S

    def look(self, now_s: float) -> None:
        """Notes a read at ``now_s``; a long time since the last one is a stall."""
        if now_s - self._looked_s > STALL_S:
            self._is_behind, self._num_bytes = True, 0
        self._looked_s = now_s

    def choose_wait_s(self, most_s: float, interval_s: float | None) -> float:
        """How long to wait for the next bytes, at most ``most_s``, if images are usually ``interval_s`` apart."""
        self._dry_s = min(DRY_MOST_S, max(DRY_LEAST_S, DRY_SHARE * (interval_s or DRY_MOST_S)))
        return min(most_s, self._dry_s) if self._is_behind else most_s

    def receive(self, num_bytes: int, wait_s: float, *, is_begun: bool) -> None:
        """Notes that ``num_bytes`` came within a wait of at most ``wait_s``, possibly none; ``is_begun`` if an image
        has begun and is not complete.
        """
        self._num_bytes += num_bytes
        if not self._is_behind:
            return
        if not num_bytes and wait_s >= self._dry_s:
            self._is_behind, self._is_begun = False, is_begun
        elif self._num_bytes > BUFFERED_BYTES:
            self._is_behind, self._is_begun = False, True

    def take_old(self) -> bool:
        """Whether the image just completed has been waiting; called once for each image."""
        was_begun, self._is_begun = self._is_begun, False
        return self._is_behind or was_begun
