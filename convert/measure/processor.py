"""The name of the processor, without which a measured time means nothing."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def read_processor_name(cpuinfo: Path = CPUINFO) -> str:
    """The processor's model name, with the number of threads that the system shows."""
    fields = _fields(cpuinfo)
    name = fields.get("model name") or fields.get("Model") or platform.processor() or platform.machine()
    return f"{name} ({platform.machine()}, {fields.get('count', '?')} threads)"


def _fields(cpuinfo: Path) -> dict[str, str]:
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    pairs = [line.split(":", 1) for line in lines if ":" in line]
    fields = {key.strip(): value.strip() for key, value in pairs}
    return {**fields, "count": str(sum(key.strip() == "processor" for key, _ in pairs))}
