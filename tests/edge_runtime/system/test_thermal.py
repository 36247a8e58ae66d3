"""Temperature and throttle flags from a made-up sysfs and a made-up firmware tool."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_runtime.system.thermal import SYSFS_WORD, SystemState, SystemWatch, Throttle, read_system
from tests.patience import HANG_S

MISSING = ("edge-runtime-there-is-no-such-tool",)


def zone(root: Path, number: int, kind: str, temperature: str) -> None:
    folder = root / f"sys/class/thermal/thermal_zone{number}"
    folder.mkdir(parents=True)
    (folder / "type").write_text(kind + "\n")
    (folder / "temp").write_text(temperature + "\n")


def tool(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


@pytest.mark.parametrize(
    ("word", "now", "since_boot"),
    [
        ("0x0", (), ()),
        ("0x50005", ("under_voltage", "throttled"), ("under_voltage", "throttled")),
        ("0x50000", (), ("under_voltage", "throttled")),
        ("0x80008", ("soft_temperature_limit",), ("soft_temperature_limit",)),
    ],
)
def test_the_firmware_s_word_is_decoded(
    tmp_path: Path, word: str, now: tuple[str, ...], since_boot: tuple[str, ...]
) -> None:
    throttle = read_system(tmp_path, tool(f"print('throttled={word}')")).throttle
    assert throttle is not None
    assert (throttle.now, throttle.since_boot) == (now, since_boot)


@pytest.mark.parametrize(
    "command",
    [
        MISSING,
        tool("import sys; print('VCHI initialization failed'); sys.exit(255)"),
        tool("import sys; print('throttled=0x50005'); sys.exit(1)"),
        tool("print('throttled=maybe')"),
        tool("import sys; sys.stdout.buffer.write(bytes(range(128, 256)))"),
        tool("import threading; threading.Event().wait()"),
    ],
    ids=["missing", "failing", "failing with a word", "nonsense", "binary", "hanging"],
)
def test_a_tool_that_is_missing_failing_or_hanging_means_unknown(tmp_path: Path, command: tuple[str, ...]) -> None:
    assert read_system(tmp_path, command, timeout_s=0.3) == SystemState(None, None)


def test_the_kernel_s_file_is_preferred_to_the_tool(tmp_path: Path) -> None:
    path = tmp_path / SYSFS_WORD
    path.parent.mkdir(parents=True)
    path.write_text("50005\n")
    assert read_system(tmp_path, MISSING).throttle == Throttle(0x50005)
    path.write_text("garbage\n")
    assert read_system(tmp_path, MISSING).throttle is None


def test_the_processor_s_zone_counts_and_others_only_without_it(tmp_path: Path) -> None:
    zone(tmp_path, 0, "gpu-thermal", "71000")
    assert read_system(tmp_path, MISSING).temperature_c == 71.0
    zone(tmp_path, 1, "cpu-thermal", "54321")
    assert read_system(tmp_path, MISSING).temperature_c == 54.321


def test_zones_that_cannot_be_read_or_be_true_are_left_out(tmp_path: Path) -> None:
    zone(tmp_path, 0, "cpu-thermal", "not a number")
    zone(tmp_path, 1, "cpu-thermal", "-274000")
    assert read_system(tmp_path, MISSING).temperature_c is None


def test_the_watch_reads_in_a_thread_of_its_own(tmp_path: Path) -> None:
    import time

    zone(tmp_path, 0, "cpu-thermal", "40000")
    watch = SystemWatch(tmp_path, MISSING, period_s=0.02)
    (tmp_path / "sys/class/thermal/thermal_zone0/temp").write_text("50000")
    end_s = time.monotonic() + HANG_S
    while watch.state.temperature_c != 50.0 and time.monotonic() < end_s:
        time.sleep(0.01)
    watch.close()
    assert watch.state.temperature_c == 50.0
    assert not watch._thread.is_alive()
