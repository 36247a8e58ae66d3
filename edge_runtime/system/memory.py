"""How much memory this process and its capture child use, by proportional set size: shared pages are counted once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path


def measure_pss_mb(pids: Iterable[int] = (), proc: Path = Path("/proc")) -> float | None:
    """The proportional set size of this process and ``pids`` in 10^6 bytes; None if the kernel does not report it."""
    total_kib = 0
    for pid in (os.getpid(), *pids):
        try:
            text = (proc / str(pid) / "smaps_rollup").read_text()
        except OSError:
            if pid == os.getpid():
                return None
            continue
        match = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
        total_kib += int(match.group(1)) if match else 0
    return round(total_kib * 1024 / 1e6, 1)
