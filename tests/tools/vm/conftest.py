"""One booted virtual device for the scenarios that leave it as it was, and new ones for those that do not.

`make device-vm` runs them; with the other tests they would take too long.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.vm.device import Device
from tests.tools.vm.machine import Parts
from tests.tools.vm.parts import make_parts, missing_parts
from tests.tools.vm.pictures import save_pictures

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """Kernel, disk and a folder that the machines see as /host, with two models, pictures and the camera's program."""
    if os.environ.get("DEVICE_VM") != "1":
        pytest.skip("make device-vm runs it")
    reason = missing_parts()
    if reason:
        pytest.skip(reason)
    shared = tmp_path_factory.mktemp("host")
    for file in (HERE.parents[2] / "edge_runtime" / "models").glob("*.tflite"):
        shutil.copy2(file, shared)
    shutil.copy2(HERE / "usb_camera.py", shared)
    save_pictures(shared, ("frog", "ship"))
    return make_parts(shared)


@pytest.fixture
def machine(parts: Parts, tmp_path: Path) -> Iterator[Device]:
    """A device of its own for this test, on."""
    device = Device(parts, tmp_path / "machine")
    device.power_on()
    yield device
    device.cut_power()


@pytest.fixture(scope="module")
def kept_machine(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """A device that the tests of a module share; each leaves it as it was."""
    device = Device(parts, tmp_path_factory.mktemp("machine"))
    device.power_on()
    yield device
    device.cut_power()
