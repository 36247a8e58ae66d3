"""Says on stderr how far a long stage has come and how long it will still take; stdout stays free for results."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Protocol, TypeVar

Item = TypeVar("Item", covariant=True)


class SizedIterable(Sized, Iterable[Item], Protocol[Item]):
    """Anything that has a length and can be iterated over."""


def with_progress(
    items: SizedIterable[Item],
    label: str,
    write: Callable[[str], object] | None = None,
    now: Callable[[], float] = time.monotonic,
) -> Iterator[Item]:
    """The ``items``, one by one; writes a line with the ETA about once a second (to a terminal) or every ten seconds
    (to a log).
    """
    terminal = write is None and sys.stderr.isatty()
    write = write or sys.stderr.write
    started = last = now()
    for done, item in enumerate(items):
        yield item
        time_now = now()
        if time_now - last >= (1.0 if terminal else 10.0) and done + 1 < len(items):
            last = time_now
            left_s = (time_now - started) / (done + 1) * (len(items) - done - 1)
            line = f"{label}: {done + 1} of {len(items)}, {left_s:.0f} s left"
            write(f"\r{line}   " if terminal else f"{line}\n")
    total_s = now() - started
    write(("\r" if terminal else "") + f"{label}: {len(items)} in {total_s:.1f} s          ".rstrip() + "\n")


def stage(text: str) -> None:
    """Prints one line about what happens now."""
    print(text, file=sys.stderr, flush=True)
