"""Whether what is read from a line now has been waiting in it: after a gap between reads all of it has.

Pure: it is told of times and bytes. A process that was stopped or busy finds images in the buffers of both ends; they
look new when they are read. They are over when the line has run dry once, or when more came than buffers hold. Dry is a
line on which nothing came within a wait: that bytes came late says nothing, for on a busy machine the reader is late.
"""

from __future__ import annotations

# Nobody looked at the line for this long.
STALL_S = 0.25
# The line is dry when nothing comes for this part of the usual time between two images, within these limits.
DRY_SHARE, DRY_LEAST_S, DRY_MOST_S = 0.25, 0.002, 0.05
# More than Linux lets wait in one connection at both ends (tcp_rmem 6 MB, tcp_wmem 4 MB).
BUFFERED_BYTES = 12_000_000


class Backlog:
    """Told of every moment at which the line is looked at; `take_old` says whether the next image is too old to be
    used.
    """

    def __init__(self, now_s: float) -> None:
        self.restart(now_s)

    def restart(self, now_s: float) -> None:
        """The line is new at ``now_s``: nothing waits in it."""
        self._looked_s = now_s
        self._is_behind = self._is_begun = False
        self._num_bytes, self._dry_s = 0, DRY_MOST_S

    def look(self, now_s: float) -> None:
        """Notes that the line is looked at; a long time since the last look is a stall."""
        if now_s - self._looked_s > STALL_S:
            self._is_behind, self._num_bytes = True, 0
        self._looked_s = now_s

    def choose_wait_s(self, most_s: float, interval_s: float | None) -> float:
        """How long to wait for bytes next, ``most_s`` at most, with images ``interval_s`` apart as a rule."""
        self._dry_s = min(DRY_MOST_S, max(DRY_LEAST_S, DRY_SHARE * (interval_s or DRY_MOST_S)))
        return min(most_s, self._dry_s) if self._is_behind else most_s

    def receive(self, num_bytes: int, wait_s: float, *, is_begun: bool) -> None:
        """Notes that ``num_bytes`` came within a wait of at most ``wait_s``, or none; ``is_begun`` when an image has
        begun of which more must come.
        """
        self._num_bytes += num_bytes
        if not self._is_behind:
            return
        if not num_bytes and wait_s >= self._dry_s:
            self._is_behind, self._is_begun = False, is_begun
        elif self._num_bytes > BUFFERED_BYTES:
            self._is_behind, self._is_begun = False, True

    def take_old(self) -> bool:
        """Whether the image that was just completed has been waiting; asked once for each image."""
        was_begun, self._is_begun = self._is_begun, False
        return self._is_behind or was_begun
