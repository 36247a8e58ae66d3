"""Which boot of the machine this is: what did not end well before it may have ended with the machine."""

from __future__ import annotations

from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """32 hexadecimal digits that the kernel draws at each boot; zeros where it does not say."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")
    except OSError:
        return "0" * 32
