"""Works out when each frame of a network stream was sent, from the stream's own times: a frame that has waited in a
buffer looks new when it is read.

Pure: it is given all times. A camera's clock starts anywhere, so only differences count: the fastest frame gives the
offset between the two clocks, and every other frame has waited for as long as it came later than that. Times that do
not rise, or a clock slower than ours, tell nothing; then a frame counts as sent when it was read. With such a clock the
reader still has to wait for frames; a reader that is too slow never has to.
"""

from __future__ import annotations

from collections import deque

# Clock rates may differ by this fraction; those of two machines usually differ by a hundredth of it.
DRIFT = 0.01
# The network alone delays a frame by less than this.
NEAR_S = 0.1
# The time that even the fastest frame spends on its way and in the decoder is invisible; this is added to the age of a
# frame that has waited.
UNSEEN_S = 0.05
# A reader that keeps up clears a backlog sooner than this. Frames that are late for longer come from a camera that
# sends fewer frames than its clock counts, as some do in the dark.
STANDING_S = 5.0
DOUBT_S = 60.0
# At most this much of a gap between two frames counts as elapsed, because the reader may have been stopped.
MOST_GAP_S = 0.25
# Everything that came while the stream was being opened has been read once frames have come for this long without
# gaining more than this fraction of that time on the clock, and at least every other one had to be waited for: a busy
# machine reads slowly, too.
SETTLED_S, SETTLED_SHARE = 0.25, 0.1
CATCH_UP_S = 10.0


class StreamClock:
    """``begun_s`` is when opening the stream began, in seconds of the monotonic clock, like every ``now_s``.

    The decoder holds back ``num_held`` frames: one comes out when that many have arrived after it.
    """

    def __init__(self, begun_s: float, num_held: int = 0) -> None:
        self._begun_s, self._first_s = begun_s, 0.0
        self._is_behind, self._settled = True, (0.0, 0.0)
        self._num_seen = self._num_waited = 0
        self._dates: deque[float] = deque(maxlen=num_held + 1)
        self._offset_s = self._stream_s = self._read_s = 0.0
        self._late_s, self._trusted_from_s = 0.0, begun_s

    def date(self, stream_s: float, now_s: float, *, has_waited: bool = True) -> float:
        """When the frame that is read at ``now_s`` was sent; its time in the stream is ``stream_s``. Never earlier than
        the previous frame. ``has_waited`` says whether the reader had to wait for it.
        """
        if not self._dates:
            self._first_s, self._settled, sent_s = now_s, (now_s, now_s - stream_s), self._begun_s
        elif stream_s <= self._stream_s:  # no times at all, or the camera has restarted
            self._offset_s, self._late_s = now_s - stream_s, 0.0
            self._is_behind = self._is_behind and now_s - self._first_s < SETTLED_S
            sent_s = self._begun_s if self._is_behind else now_s
        else:
            sent_s = self._compare(stream_s, now_s, has_waited)
        self._stream_s, self._read_s = stream_s, now_s
        self._dates.append(max([sent_s, *self._dates]))
        return self._dates[0]

    @property
    def is_catching_up(self) -> bool:
        """Whether the last dated frame came while the stream was being opened; False after `CATCH_UP_S` in any case."""
        return self._dates[0] == self._begun_s and self._read_s - self._first_s < CATCH_UP_S

    def _compare(self, stream_s: float, now_s: float, has_waited: bool) -> float:
        offset_s, lasted_s = now_s - stream_s, min(now_s - self._read_s, MOST_GAP_S) if has_waited else 0.0
        if self._is_behind:
            self._num_seen, self._num_waited = self._num_seen + 1, self._num_waited + has_waited
            self._is_behind = not self._has_settled(offset_s, now_s)
            self._offset_s = offset_s
            return self._begun_s if self._is_behind else now_s
        self._offset_s = min(offset_s, self._offset_s + DRIFT * lasted_s)
        delay_s = offset_s - self._offset_s
        self._late_s = self._late_s + lasted_s if delay_s > NEAR_S else 0.0
        if self._late_s > STANDING_S:
            self._offset_s, self._late_s, self._trusted_from_s = offset_s, 0.0, now_s + DOUBT_S
        if now_s < self._trusted_from_s:
            return now_s
        return now_s - delay_s - (UNSEEN_S if delay_s > NEAR_S else 0.0)

    def _has_settled(self, offset_s: float, now_s: float) -> bool:
        since_s, before_s = self._settled
        if now_s - since_s < SETTLED_S:
            return False
        is_steady = before_s - offset_s <= SETTLED_SHARE * (now_s - since_s) or now_s - self._first_s >= STANDING_S
        has_waited = 2 * self._num_waited >= self._num_seen
        self._settled, self._num_seen, self._num_waited = (now_s, offset_s), 0, 0
        return is_steady and has_waited
