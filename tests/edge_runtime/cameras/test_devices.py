"""What the kernel says of a camera becomes words: its name, its lasting path, why it does not open."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.cameras import address
from edge_runtime.cameras.devices import VideoDevice, explain_device, find_device, list_devices


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Two cameras, one of them with a metadata node, as sysfs and udev show them."""
    (tmp_path / "dev/v4l/by-id").mkdir(parents=True)
    for number, name in ((0, "HD Webcam C270"), (1, "HD Webcam C270"), (10, "Arducam Door")):
        (tmp_path / f"dev/video{number}").touch()
        folder = tmp_path / f"sys/class/video4linux/video{number}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(name + "\n")
    (tmp_path / "dev/v4l/by-id/usb-Arducam-video-index0").symlink_to("../../video10")
    return tmp_path


def test_cameras_are_listed_by_number_with_name_and_lasting_path(machine: Path) -> None:
    assert list_devices(machine) == [
        VideoDevice("/dev/video0", "HD Webcam C270"),
        VideoDevice("/dev/video1", "HD Webcam C270"),
        VideoDevice("/dev/video10", "Arducam Door", "/dev/v4l/by-id/usb-Arducam-video-index0"),
    ]


def test_a_camera_is_found_by_a_part_of_its_name_when_only_one_has_it(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_device("c270", machine)
    assert found is not None and found.path == "/dev/video0", "the node that gives images is the first"
    assert find_device("a", machine) is None, "two cameras have it"
    assert find_device(" ", machine) is None
    monkeypatch.setattr(address, "find_device", lambda name: find_device(name, machine))
    assert address.parse_camera("arducam").value == "/dev/v4l/by-id/usb-Arducam-video-index0"


def kernel(
    capabilities: int, formats: tuple[bytes, ...], requested: int | None
) -> Callable[[int, int, bytearray], int]:
    """A fake ioctl; ``requested`` is the errno of asking for buffers."""

    def ioctl(fd: int, request: int, argument: bytearray) -> int:
        if request == 0x80685600:
            argument[16:21] = b"C270\0"
            struct.pack_into("<II", argument, 84, 0x80000000, capabilities)
        elif request == 0xC0405602:
            index = struct.unpack_from("<I", argument)[0]
            if index >= len(formats):
                raise OSError(errno.EINVAL, "Invalid argument")
            argument[44:48] = formats[index]
        elif requested is not None:
            raise OSError(requested, os.strerror(requested))
        return 0

    return ioctl


@pytest.mark.parametrize(
    ("capabilities", "formats", "requested", "message"),
    [
        (1, (b"MJPG",), errno.EBUSY, "is in use by another program; see which with: fuser -v"),
        (0x800000, (), None, "is C270 but gives no images (a metadata or output node)"),
        (1, (b"H264", b"Y10 "), None, "is C270 and sends H264, Y10, expected MJPG, YUYV or another"),
        (1, (), errno.ENODEV, "is gone; check the cable, the hub and its power"),
        (1, (), errno.EIO, "fails with Input/output error; unplug it and plug it in again"),
    ],
)
def test_why_a_camera_does_not_open_is_what_the_kernel_says(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capabilities: int,
    formats: tuple[bytes, ...],
    requested: int | None,
    message: str,
) -> None:
    (tmp_path / "video0").touch()
    monkeypatch.setattr(fcntl, "ioctl", kernel(capabilities, formats, requested))
    assert explain_device(tmp_path / "video0").startswith(message)


def test_a_device_that_is_gone_and_one_that_is_no_camera_are_told_apart(tmp_path: Path) -> None:
    assert explain_device(tmp_path / "none").startswith("is gone")
    (tmp_path / "file").touch()
    assert explain_device(tmp_path / "file").startswith("is no camera (it does not speak V4L2)")
