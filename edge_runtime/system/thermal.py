"""How hot the device is and whether it is throttled: the processor's temperature and a Raspberry Pi's throttle flags.

What a machine does not report is None, never a guess and never an error. A tool that hangs is killed; it runs in its
own thread.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VCGENCMD = ("vcgencmd", "get_throttled")
# Bits of the firmware's word (Raspberry Pi documentation, "vcgencmd get_throttled"); bit + 16: it happened since boot.
FLAGS = {0: "under_voltage", 1: "frequency_capped", 2: "throttled", 3: "soft_temperature_limit"}
WORDS = {
    "under_voltage": "under-voltage: use a stronger power supply",
    "frequency_capped": "the processor's frequency is capped",
    "throttled": "throttled: the processor slows itself down",
    "soft_temperature_limit": "near its temperature limit: cool the device",
}
SYSFS_WORD = "sys/devices/platform/soc/soc:firmware/get_throttled"


@dataclass(frozen=True)
class Throttle:
    """The firmware's word, decoded: flags that hold now, and flags that held at some time since the start."""

    word: int

    @property
    def now(self) -> tuple[str, ...]:
        """The flags that hold now."""
        return tuple(name for bit, name in FLAGS.items() if self.word >> bit & 1)

    @property
    def since_boot(self) -> tuple[str, ...]:
        """The flags that held at some time since the device started."""
        return tuple(name for bit, name in FLAGS.items() if self.word >> (bit + 16) & 1)


@dataclass(frozen=True)
class SystemState:
    """The temperature in degrees Celsius and the throttle flags; None if the machine does not report them."""

    temperature_c: float | None = None
    throttle: Throttle | None = None


def read_system(root: Path = Path("/"), command: Sequence[str] = VCGENCMD, timeout_s: float = 2.0) -> SystemState:
    """The current state; files are read below ``root``, and ``command`` asks the firmware if there is no such file."""
    return SystemState(_temperature_c(root), _throttle(root, command, timeout_s))


def _temperature_c(root: Path) -> float | None:
    """The temperature of the processor's zone if there is one, else that of the hottest zone."""
    zones: dict[str, list[float]] = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        try:
            degrees = int((zone / "temp").read_text()) / 1000
            kind = (zone / "type").read_text().strip().lower()
        except (OSError, ValueError):
            continue
        if -40 < degrees < 150:
            zones.setdefault("cpu" if "cpu" in kind or kind == "x86_pkg_temp" else "other", []).append(degrees)
    values = zones.get("cpu") or zones.get("other")
    return max(values) if values else None


def _throttle(root: Path, command: Sequence[str], timeout_s: float) -> Throttle | None:
    try:
        return Throttle(int((root / SYSFS_WORD).read_text().strip(), 16))
    except (OSError, ValueError):
        pass  # older kernels lack this file; the tool asks the same firmware
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    match = re.fullmatch(r"throttled=0x([0-9a-fA-F]{1,8})", done.stdout.strip())
    return Throttle(int(match.group(1), 16)) if match and done.returncode == 0 else None


class SystemWatch:
    """Reads the state every ``period_s`` seconds in a thread; ``state`` is the latest."""

    def __init__(
        self,
        root: Path = Path("/"),
        command: Sequence[str] = VCGENCMD,
        period_s: float = 5.0,
        timeout_s: float = 2.0,
    ) -> None:
        self.state = SystemState()
        self._root, self._command, self._period_s, self._timeout_s = root, command, period_s, timeout_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="system", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread; this may take as long as the tool's time-out."""
        self._stop.set()
        self._thread.join(self._timeout_s + 1)

    def _run(self) -> None:
        while True:
            self.state = read_system(self._root, self._command, self._timeout_s)
            if self._stop.wait(self._period_s):
                return
