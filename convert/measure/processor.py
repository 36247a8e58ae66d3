"""What the processor is called and what it can do with 8-bit integers: the reason behind a surprising time."""

from __future__ import annotations

import platform
from pathlib import Path

# Instructions that multiply and add 8-bit integers in one step, four products each.
_DOT_PRODUCTS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
CPUINFO = Path("/proc/cpuinfo")


def processor_name(cpuinfo: Path = CPUINFO) -> str:
    """Its model name, with the number of threads that the system shows."""
    fields = _fields(cpuinfo)
    name = fields.get("model name") or fields.get("Model") or platform.processor() or platform.machine()
    return f"{name} ({platform.machine()}, {fields.get('count', '?')} threads)"


def int8_instructions(cpuinfo: Path = CPUINFO) -> str:
    """One clause about the 8-bit dot products of this processor."""
    fields = _fields(cpuinfo)
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    found = [name for name in _DOT_PRODUCTS if name in flags]
    if found:
        return (
            f"although this processor has 8-bit dot products ({', '.join(found)}), the depthwise layers do not use them"
        )
    return (
        "this processor has no 8-bit dot product: int8 values are widened to 16 bits before they are multiplied, which "
        "costs what the smaller data saves"
    )


def _fields(cpuinfo: Path) -> dict[str, str]:
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    pairs = [line.split(":", 1) for line in lines if ":" in line]
    fields = {key.strip(): value.strip() for key, value in pairs}
    return {**fields, "count": str(sum(key.strip() == "processor" for key, _ in pairs))}
