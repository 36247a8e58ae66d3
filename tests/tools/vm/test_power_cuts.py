"""The plug is pulled from a device whenever it hurts: it comes back with a model that works, and none is refused for it."""

from __future__ import annotations

import os
import random
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.vm.device import PYTHON, Device
from tests.tools.vm.machine import Parts

pytestmark = pytest.mark.slow
NUM_CUTS = int(os.environ.get("DEVICE_VM_CUTS", "4"))
MODELS = ("small", "resnet8")
# Without the loading of a library the same as `install` does at its end, again and again.
CHANGES = """
import itertools; from pathlib import Path; from edge_runtime.store.store import Store
models = [Path(f"/host/{name}.tflite").read_bytes() for name in ("small", "resnet8")]
for content in itertools.cycle(models): Store().add(content)
"""


@pytest.fixture
def device(parts: Parts, tmp_path: Path) -> Iterator[Device]:
    """A device that labels a camera whose images are drawn."""
    device = Device(parts, tmp_path / "machine")
    device.power_on()
    device.serve("--camera", "synthetic")
    device.wait_for_labels()
    device.check("sync")
    yield device
    device.cut_power()


def expect_a_working_model(device: Device, may_be: set[str]) -> str:
    """The service labels with one of these models, and none was refused; its SHA-256."""
    device.wait_for_labels()
    store = device.store()
    assert store["refused"] == {}, f"{store}\n{device.journal()}"
    assert store["failed_starts"] == 0, f"{store}\n{device.journal()}"
    assert store["current"] in may_be
    return str(store["current"])


def test_power_cuts_during_install_leave_the_old_or_the_new_model(device: Device) -> None:
    chance = random.Random(20)
    hashes = {"shipped", *(device.check(f"sha256sum /host/{name}.tflite").split()[0] for name in MODELS)}
    for number in range(NUM_CUTS):
        if number % 2:
            device.send(f"{PYTHON} -c {shlex.quote(CHANGES)}")
            time.sleep(chance.uniform(2, 12))
        else:
            device.send(f"edge-runtime install --max-latency-ms 1e6 --again /host/{MODELS[number // 2 % 2]}.tflite")
            time.sleep(chance.uniform(0.1, 12))
        device.cut_power()
        device.power_on()
        model = expect_a_working_model(device, hashes)
        print(f"cut {number + 1} of {NUM_CUTS} during install: {model[:12]}", flush=True)


def test_power_cuts_after_install_keep_the_new_model(device: Device) -> None:
    chance = random.Random(21)
    device.check("edge-runtime install --max-latency-ms 1e6 /host/small.tflite")
    installed = device.store()["current"]
    for number in range(NUM_CUTS):
        time.sleep(chance.uniform(0, 8))
        device.cut_power()
        device.power_on()
        if number % 4:
            expect_a_working_model(device, {installed})
        print(f"cut {number + 1} of {NUM_CUTS} after install", flush=True)
    expect_a_working_model(device, {installed})
