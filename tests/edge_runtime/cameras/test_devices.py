"""What the kernel says of a camera becomes words: its name, its lasting path, why it gives no images, which one it is."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.cameras import address
from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.capture.parent import Capture, CaptureConfig
from edge_runtime.cameras.devices import VideoDevice, find_devices, find_refusal, list_devices
from edge_runtime.cameras.identity import Identity, find_again, identify, is_numbered
from edge_runtime.cameras.opening import open_camera
from edge_runtime.cameras.sources.opencv import device as device_camera
from edge_runtime.cameras.sources.opening import open_source
from edge_runtime.errors import CameraError, UsageError

METADATA, PLANES = 0x800000, 0x1000


@pytest.fixture
def machine(fake_cameras: Any) -> Path:
    """Two cameras, one of them with a metadata node."""
    fake_cameras.plug_in(0, "HD Webcam C270")
    fake_cameras.plug_in(1, "HD Webcam C270", index=1, capabilities=METADATA)
    fake_cameras.plug_in(10, "Arducam Door", "usb-2", serial="7")
    return Path(fake_cameras.root)


def test_cameras_are_listed_by_number_with_name_and_lasting_path(machine: Path) -> None:
    first, second = (os.path.realpath(machine / f"devices/usb-{number}/1-1:1.0") for number in (1, 2))
    assert list_devices(machine) == [
        VideoDevice("/dev/video0", "HD Webcam C270", "/dev/v4l/by-id/usb-HD Webcam C270-video-index0", first),
        VideoDevice("/dev/video1", "HD Webcam C270", "/dev/v4l/by-id/usb-HD Webcam C270-video-index1", first),
        VideoDevice("/dev/video10", "Arducam Door", "/dev/v4l/by-id/usb-Arducam Door-7-video-index0", second),
    ]


def test_a_camera_is_found_by_a_part_of_its_name_when_only_one_has_it(
    machine: Path, fake_cameras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [device.path for device in find_devices("c270", machine)] == ["/dev/video0"], "the first gives the images"
    assert find_devices(" ", machine) == []
    monkeypatch.setattr(address, "find_devices", lambda name: find_devices(name, machine))
    assert address.parse_camera("arducam").value == "/dev/v4l/by-id/usb-Arducam Door-7-video-index0"
    with pytest.raises(
        UsageError, match=r"2 cameras are called 'a': HD Webcam C270 \(/dev/v4l/by-id/.*\), Arducam Door"
    ):
        address.parse_camera("a")
    fake_cameras.plug_in(3, "HD Webcam C270", "usb-3", serial="9")
    with pytest.raises(
        UsageError, match=r"2 cameras are called 'c270': .*index0.*9-video-index0\); expected the name of"
    ):
        address.parse_camera("c270")
    fake_cameras.plug_in(4, "Arducam Door Two", "usb-4")
    assert address.parse_camera("Arducam Door").value.endswith("Door-7-video-index0"), "it is called exactly so"


@pytest.mark.parametrize(
    ("knobs", "kind", "message"),
    [
        ({"requested": errno.EBUSY}, "busy", "is in use by another program; see which with: fuser -v"),
        ({"capabilities": METADATA}, "no_images", "is C270 but gives no images (a metadata or output node)"),
        ({"formats": (b"H264", b"Y10 ")}, "format", "is C270 and sends H264, Y10, expected MJPG, YUYV or another"),
        ({"formats": (b"HEVC",), "capabilities": PLANES}, "format", "is C270 and sends HEVC, expected MJPG"),
        (
            {"card": "unicam", "formats": (b"pBAA",)},
            "format",
            "is unicam and sends pBAA, expected MJPG, YUYV or another that "
            "OpenCV reads; a Raspberry Pi's own camera is read by csi",
        ),
        (
            {"card": "pispbe", "capabilities": 2},
            "no_images",
            "is pispbe but gives no images (a metadata or output node); use csi for a Raspberry Pi's own camera",
        ),
        ({"formats": (), "requested": errno.ENODEV}, "gone", "is gone; check the cable, the hub and its power"),
        ({"requested": errno.EIO}, "fault", "fails with Input/output error; unplug it and plug it in again"),
    ],
)
def test_why_a_camera_gives_no_image_is_what_the_kernel_says_at_once_to_a_run_and_to_doctor(
    fake_cameras: Any, monkeypatch: pytest.MonkeyPatch, knobs: dict[str, Any], kind: str, message: str
) -> None:
    path = fake_cameras.plug_in(0, **knobs)
    refusal = find_refusal(path)
    assert refusal is not None and refusal.kind == kind and refusal.words.startswith(message)
    monkeypatch.setattr("edge_runtime.cameras.presence.find_device_path", lambda device: path)
    with pytest.raises(CameraError) as raised:
        open_camera(0)
    assert str(raised.value) == f"/dev/video0 {refusal.words}."
    monkeypatch.setattr(device_camera, "find_device_path", lambda device: path)
    with pytest.raises(CameraError) as raised:
        open_source(CameraAddress("device", "0"))
    assert str(raised.value) == f"{path} did not open: it {refusal.words}."


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"formats": (b"H264", b"MJPG")},
        {"formats": (), "requested": errno.EINVAL},
        {"formats": (b"NV12",), "capabilities": PLANES},
    ],
)
def test_nothing_is_said_against_a_camera_that_may_well_be_read(fake_cameras: Any, knobs: dict[str, Any]) -> None:
    assert find_refusal(fake_cameras.plug_in(0, **knobs)) is None


def test_a_device_that_is_gone_forbidden_or_no_camera_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kind(path: Path) -> str:
        refusal = find_refusal(path)
        assert refusal is not None
        return f"{refusal.kind}: {refusal.words}"

    assert kind(tmp_path / "none").startswith("gone: is gone")
    (tmp_path / "file").touch()
    assert kind(tmp_path / "file").startswith("no_camera: is not a camera (it does not speak V4L2)")
    for number, words in (
        (errno.EACCES, "forbidden: cannot be opened by this user"),
        (errno.EBUSY, "busy: is in use"),
    ):
        monkeypatch.setattr(os, "open", lambda *arguments, number=number: (_ for _ in ()).throw(OSError(number, "x")))
        assert kind(tmp_path / "file").startswith(words)


def test_a_number_is_the_camera_that_the_run_began_with(fake_cameras: Any) -> None:
    root = fake_cameras.root
    first, second = fake_cameras.plug_in(0, bus="usb-1"), fake_cameras.plug_in(2, bus="usb-2")
    began = identify(first, root)
    assert began == Identity("C270", "usb-1", "", "0") and Identity.from_text(began.to_text()) == began
    assert find_again(began, first, root) == first
    fake_cameras.pull_out(0)
    fake_cameras.pull_out(2)
    fake_cameras.plug_in(0, bus="usb-2")  # the other one is faster this time
    fake_cameras.plug_in(2, bus="usb-1")
    assert find_again(began, first, root) == second, "the one at its place of the bus"
    fake_cameras.pull_out(2)
    with pytest.raises(
        CameraError, match=r"video0 is now C270 at usb-2, but this run began with C270 at usb-1; plug that"
    ):
        find_again(began, first, root)
    fake_cameras.pull_out(0)
    with pytest.raises(CameraError, match=r"video0, C270 at usb-1, is gone; check the cable, the hub and its power"):
        find_again(began, first, root)


def test_a_camera_with_a_serial_number_is_found_at_another_place_and_never_taken_for_another(fake_cameras: Any) -> None:
    root = fake_cameras.root
    first = fake_cameras.plug_in(0, bus="usb-1", serial="A")
    fake_cameras.plug_in(1, bus="usb-1", serial="A", index=1, capabilities=METADATA)
    began = identify(first, root)
    for number in (0, 1):
        fake_cameras.pull_out(number)
    fake_cameras.plug_in(0, bus="usb-1", serial="B")
    with pytest.raises(
        CameraError, match=r"is now C270 \(serial number B, at usb-1\), but this run began with C270 \(s"
    ):
        find_again(began, first, root)
    fake_cameras.plug_in(4, bus="usb-9", serial="A", index=1, capabilities=METADATA)
    moved = fake_cameras.plug_in(3, bus="usb-9", serial="A")
    assert find_again(began, first, root) == moved, "its first device, not the metadata"
    fake_cameras.plug_in(5, bus="usb-8", serial="A")  # makers print one number on all
    with pytest.raises(CameraError, match=r"but this run began with"):
        find_again(began, first, root)


@pytest.mark.parametrize(
    ("device", "expected"),
    [("0", True), ("/dev/video12", True), ("/dev/v4l/by-id/usb-x-video-index0", False), ("/dev/v4l/by-path/p", False)],
)
def test_only_a_number_may_become_another_s(device: str, expected: bool) -> None:
    assert is_numbered(device) is expected


def test_a_camera_opened_again_by_its_number_is_looked_for_where_it_is_now(
    fake_cameras: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    class Open:
        def __init__(self, target: str, *arguments: Any) -> None:
            opened.append(Path(target).name)

        def isOpened(self) -> bool:
            return True

        def get(self, which: int) -> float:
            return 0.0

        def release(self) -> None: ...

    root = fake_cameras.root
    fake_cameras.plug_in(0, bus="usb-1")
    monkeypatch.setattr(device_camera.cv2, "VideoCapture", Open)
    monkeypatch.setattr(device_camera, "find_device_path", lambda device: root / "dev" / f"video{device[-1]}")
    monkeypatch.setattr(device_camera, "identify", lambda path: identify(path, root))
    monkeypatch.setattr(
        device_camera, "find_again", lambda began, path: find_again(began, root / "dev" / path.name, root)
    )
    with open_source(CameraAddress("device", "0")) as camera:
        began_with = camera.began_with
    assert Identity.from_text(began_with) == Identity("C270", "usb-1", "", "0")
    fake_cameras.plug_in(0, bus="usb-2")
    fake_cameras.plug_in(3, bus="usb-1")
    with open_source(CameraAddress("device", "0", began_with)) as camera:
        assert camera.name.startswith("/dev/video0, now ") and camera.name.endswith("video3")
        assert camera.began_with == began_with
    assert opened == ["video0", "video3"]


def test_the_next_capture_process_is_told_which_camera_the_first_one_opened(tmp_path: Path) -> None:
    import sys

    script = tmp_path / "child.py"
    script.write_text(
        f"import json, sys\nsys.path[:] = {sys.path!r}\n"
        "from edge_runtime.cameras.capture.orders import Order\n"
        "address = Order.from_json(sys.stdin.readline()).address\n"
        f"open({str(tmp_path / 'told')!r}, 'a').write(address.began_with + '|')\n"
        "print(json.dumps({'state': 'camera', 'text': 'C270 at usb-1'}), flush=True)\n"
    )
    config = CaptureConfig(first_restart_s=0.02, restart_cap_s=0.05)
    with Capture(CameraAddress("device", "0"), None, config, (sys.executable, str(script))) as capture:
        for _ in range(600):
            capture.read(0.05)
            if capture.counts().restarts >= 2:
                break
    assert (tmp_path / "told").read_text().startswith("|C270 at usb-1|")
