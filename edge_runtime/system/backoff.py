"""How long to wait before the next try: doubling up to a cap, with jitter so that many devices do not retry in step."""

from __future__ import annotations

import random


class Backoff:
    """``next_s`` gives about first, 2 x first, 4 x first ... cap seconds, each varied by up to ``jitter`` of itself."""

    def __init__(self, first_s: float, cap_s: float, jitter: float = 0.2, seed: int | None = None) -> None:
        self._first_s, self._cap_s, self._jitter = first_s, cap_s, jitter
        self._random = random.Random(seed)
        self._wanted_s = first_s

    def next_s(self) -> float:
        """The seconds to wait now; the next wait is twice as long."""
        wanted_s = min(self._wanted_s, self._cap_s)
        self._wanted_s = min(2 * wanted_s, self._cap_s)
        return wanted_s * (1 + self._random.uniform(-self._jitter, self._jitter))

    def reset(self) -> None:
        """Starts again at ``first_s``: the last try worked."""
        self._wanted_s = self._first_s
