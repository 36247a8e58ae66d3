"""Which connections to the live page stay when there are too many: those with an answer in progress that is read.

A connection costs a file descriptor, and the cameras need some, too. A client that only connects, however often, takes
places from itself and never from a viewer who sends a request.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Iterable

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS, MAX_PER_ADDRESS = 48, 32
FIRST_REQUEST_S = NEXT_REQUEST_S = 10.0
# How many are taken from the kernel's queue before the excess is dropped, and how long that queue is.
ACCEPTED_AT_ONCE, QUEUE = 16, 256
# Descriptors left for cameras, files and the broker where a process may have only a few.
_SHARE_OF_DESCRIPTORS = 4


def count_places() -> int:
    """How many connections may be open at once; fewer where this process is allowed few descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, soft // _SHARE_OF_DESCRIPTORS)


class BoundedProtocol(H11Protocol):
    """Drops connections that request nothing, and lets an answer cut off a reader that does not read."""

    began_s = 0.0
    _endless: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Makes room for itself, and starts waiting for the first request."""
        super().connection_made(transport)
        self.began_s = self.loop.time()
        self.app_state = {**self.app_state, "abort": transport.abort, "begin_endless": self._begin_endless}
        too_many = choose_dropped((each for each in self.connections if isinstance(each, BoundedProtocol)), self)
        if too_many is not None:
            too_many.transport.abort()
        if too_many is not self:
            self.loop.call_later(FIRST_REQUEST_S, self._drop_if_idle)

    @property
    def address(self) -> str:
        """The host at the other end."""
        return self.client[0] if self.client else ""

    @property
    def is_idle(self) -> bool:
        """Whether no answer is in progress, or one that nobody reads: who asks a thousand times at once and reads
        nothing would keep a place for ever. An endless answer cuts off such a reader by itself.
        """
        if self.cycle is None or self.cycle.response_complete:
            return True
        return self.flow.write_paused and self._endless is not self.cycle

    def on_response_complete(self) -> None:
        """Starts waiting for the next request."""
        answered = self.cycle
        super().on_response_complete()  # which may go on with the next request at once
        self.loop.call_later(NEXT_REQUEST_S, self._drop_unless_asked_again, answered)

    def _begin_endless(self) -> None:
        self._endless = self.cycle

    def _drop_if_idle(self) -> None:
        if self.cycle is None:
            self.transport.abort()

    def _drop_unless_asked_again(self, answered: object) -> None:
        # uvicorn's own timeout ends with the first byte of the next request, which may be the only byte that comes.
        if self.cycle is answered:
            self.transport.abort()


def choose_dropped(connections: Iterable[BoundedProtocol], new: BoundedProtocol) -> BoundedProtocol | None:
    """The one to drop now that ``new`` is among ``connections``: the oldest idle one from its address if that has too
    many, else from the address with the most; ``new`` itself when none is idle; None when there is room.
    """
    every = [each for each in connections if not each.transport.is_closing()]
    counts = Counter(each.address for each in every)
    if counts[new.address] > MAX_PER_ADDRESS:
        idle = [each for each in every if each.is_idle and each.address == new.address]
    elif len(every) > count_places():
        idle = [each for each in every if each.is_idle]
    else:
        return None
    return min(idle, key=lambda each: (each is new, -counts[each.address], each.began_s), default=new)
