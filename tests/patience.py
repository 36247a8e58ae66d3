"""Waiting in tests: for an event, never for a time.

The limit only ends a test that would hang. It is far above what the product itself may take on a busy machine: 20 s
for a process to start, as long again for a camera to open.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

HANG_S = 120.0


def until(is_true: Callable[[], Any], every_s: float = 0.02) -> None:
    """Returns as soon as ``is_true()``."""
    end_s = time.monotonic() + HANG_S
    while not is_true():
        assert time.monotonic() < end_s, f"not within {HANG_S:g} s"
        time.sleep(every_s)
