"""From power on to labels by the documented service, and what keeps it going: the watchdog, the limit on memory."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.tools.vm.device import LABEL_S, Device
from tests.tools.vm.machine import Parts

pytestmark = pytest.mark.slow
GROUP = "/sys/fs/cgroup/system.slice/edge-runtime.service"


def test_the_documented_service_labels_from_boot_on(machine: Device) -> None:
    machine.wait_for_labels()
    print(f"\nboot to first label: {machine.processor_s():.1f} s of processor time", flush=True)
    assert machine.check("systemctl is-system-running --wait").strip() == "running"
    assert machine.check("systemctl show -p NRestarts --value edge-runtime").strip() == "0"
    assert machine.store()["current"] == "shipped"
    user = machine.check("ps -o user= -p $(systemctl show -p MainPID --value edge-runtime)").strip()
    assert user not in ("root", "")


def test_a_model_that_is_installed_while_it_runs_is_taken_over_without_a_restart(machine: Device) -> None:
    machine.wait_for_labels()
    process = machine.check("systemctl show -p MainPID --value edge-runtime")
    since = machine.now()
    machine.check("edge-runtime install --max-latency-ms 1e6 /host/small.tflite")
    journal = machine.wait_for_line("From the next frame on: model", since)
    assert "is rolled back" not in journal
    labels = machine.num_labels()
    machine.wait_for_labels(labels + 10)
    store = machine.store()
    assert (store["probation"], store["failed_starts"], store["open_runs"]) == (True, 0, 1)
    assert machine.check("systemctl show -p MainPID --value edge-runtime") == process


def test_a_service_that_hangs_is_started_again_by_the_watchdog(machine: Device) -> None:
    machine.wait_for_labels()
    machine.check("kill -STOP $(systemctl show -p MainPID --value edge-runtime)")
    until_s = time.monotonic() + LABEL_S
    while machine.check("systemctl show -p NRestarts --value edge-runtime").strip() == "0":
        assert time.monotonic() < until_s, machine.journal()
        time.sleep(1)
    machine.wait_for_labels()
    assert "watchdog" in machine.check("journalctl -b -o cat -u edge-runtime --no-pager").lower()


@pytest.mark.parametrize("swap", ["without", "zram"])
def test_a_board_with_512_mb_labels_and_switches_below_the_limit_of_400_mb(
    parts: Parts, tmp_path: Path, swap: str
) -> None:
    device = Device(parts, tmp_path / "machine", memory_mb=512)
    device.power_on()
    try:
        if swap == "zram":
            device.check("echo 128M >/sys/block/zram0/disksize && mkswap -q /dev/zram0 && swapon /dev/zram0")
        device.wait_for_labels(20)
        for name in ("small", "resnet8"):
            since = device.now()
            device.check(f"edge-runtime install --max-latency-ms 1e6 /host/{name}.tflite")
            device.wait_for_line("From the next frame on: model", since)
        device.wait_for_labels(device.num_labels() + 20)
        assert device.check(f"cat {GROUP}/memory.max").strip() == str(400 << 20)
        peak = int(device.check(f"cat {GROUP}/memory.peak"))
        swapped = int(device.check(f"cat {GROUP}/memory.swap.current"))
        print(f"\n{swap} swap: at most {peak / 1e6:.0f} MB of 400, {swapped / 1e6:.1f} MB swapped", flush=True)
        assert "oom_kill 0" in device.check(f"cat {GROUP}/memory.events")
        assert device.check("systemctl show -p NRestarts --value edge-runtime").strip() == "0"
        assert swapped == 0
    finally:
        device.cut_power()
