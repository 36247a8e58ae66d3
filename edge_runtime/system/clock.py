"""The only module that reads the wall clock; everything that measures uses the monotonic clock.

Every frame's age, time-out and back-off comes from `monotonic_s`, so a wall clock that jumps by days changes no
decision. All processes on Linux share the monotonic clock, so a capture child's time stamps are valid in its parent.
"""

from __future__ import annotations

import time

monotonic_s = time.monotonic


def read_wall_time_s() -> float:
    """Seconds since 1970 UTC, for the time stamps that people and other programs read; never for measuring."""
    return time.time()


def format_time_of_day(wall_s: float) -> str:
    """``wall_s``, seconds since 1970 UTC, as HH:MM:SS in this machine's time zone."""
    return time.strftime("%H:%M:%S", time.localtime(wall_s))


def format_today() -> str:
    """Today's date in UTC, as YYYY-MM-DD."""
    return time.strftime("%Y-%m-%d", time.gmtime(read_wall_time_s()))
