"""Cameras as the kernel shows them: every format, unplugged and plugged in again, swapped, busy, forbidden, broken."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.tools.vm.device import Camera, Device, LiveRun
from tests.tools.vm.usb_camera import FORMATS

pytestmark = pytest.mark.slow
SECOND = "/dev/video1"
INTERVAL_S = 0.1


@pytest.fixture(scope="module")
def device(kept_machine: Device) -> Device:
    """A device whose service does not run."""
    kept_machine.wait_for_labels()
    kept_machine.check("systemctl disable --now edge-runtime")
    return kept_machine


@pytest.fixture(autouse=True)
def nothing_stays_plugged_in(device: Device) -> Iterator[None]:
    """What a failed test leaves behind must not make the next one fail."""
    yield
    device.run("pkill -9 -f usb_camera.py; pkill -9 -f 'edge-runtime run'; systemctl stop edge-runtime; sleep 1")


@pytest.fixture
def camera(device: Device) -> Iterator[Camera]:
    """A USB camera that shows a frog, the second camera of the device."""
    camera = device.plug_in("frog.png")
    yield camera
    device.pull_out(camera)


def predictions(lines: list[dict]) -> list[dict]:
    return [line for line in lines if line["type"] == "prediction"]


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "RGBP"])
def test_each_pixel_format_of_a_camera_gives_the_right_label(device: Device, form: str) -> None:
    camera = device.plug_in("frog.png", form)
    try:
        found = predictions(device.run_lines(f"--camera {SECOND} --frames 3"))
        assert [line["label"] for line in found] == ["frog"] * 3
    finally:
        device.pull_out(camera)


def test_a_camera_that_another_edge_runtime_holds_is_named_as_busy(device: Device, camera: Camera) -> None:
    device.check(f"edge-runtime run --camera {SECOND} </dev/null >/run/first 2>&1 & echo $! >/run/first.pid")
    device.check("for _ in $(seq 300); do grep -q frog /run/first && exit; sleep 0.2; done; cat /run/first; false")
    answer = device.run(f"edge-runtime run --camera {SECOND} --frames 1")
    device.check("kill $(cat /run/first.pid)")
    assert answer.code == 75, answer
    assert f"Another edge-runtime holds the camera {SECOND}" in answer.err


def test_a_camera_whose_only_format_opencv_cannot_read_is_named_as_such(device: Device) -> None:
    camera = device.plug_in("frog.png", "RGBP")
    try:
        answer = device.run(f"edge-runtime run --camera {SECOND} --frames 1 --give-up-s 15")
        assert answer.code == 69, answer
        assert "expected MJPG, YUYV or another that OpenCV reads" in answer.err
    finally:
        device.pull_out(camera)


def test_a_camera_that_this_user_may_not_open_is_named_as_forbidden(device: Device, camera: Camera) -> None:
    run = f"edge-runtime run --model resnet8 --camera {SECOND} --frames 1 --give-up-s 15"
    answer = device.run(f"setpriv --reuid 65534 --regid 65534 --clear-groups {run}")
    assert answer.code == 69, answer
    assert "cannot be opened by this user" in answer.err


def test_a_camera_that_is_not_there_is_named_as_missing(device: Device) -> None:
    answer = device.run("edge-runtime run --camera 7 --frames 1 --give-up-s 5")
    assert answer.code == 69, answer
    assert "/dev/video7" in answer.err
    assert "silent" not in answer.err


def test_a_frame_is_never_older_than_it_says(device: Device, camera: Camera) -> None:
    with LiveRun(device, f"--camera {SECOND}") as run:
        at = run.wait_for("label", "frog")
        for label in ("ship", "frog", "ship"):
            device.show(camera, f"{label}.png")
            at = run.wait_for("label", label, at)
        lines = predictions(run.lines())
    sent = [line.split() for line in device.check(f"cat {camera.folder}/sent").splitlines()]
    wall_minus_monotonic = float(device.check("python3 -c 'import time; print(time.time() - time.monotonic())'"))
    for line in lines:
        # When the frame was made, by the age that it says it has; the camera's own list tells what it showed about then.
        made_s = line["ts"] - wall_minus_monotonic - line["age_ms"] / 1000
        about_then = [name for at_s, name in sent if abs(float(at_s) - made_s) <= 2 * INTERVAL_S]
        newer = [name for at_s, name in sent if float(at_s) > made_s]
        assert f"{line['label']}.png" in about_then or f"{line['label']}.png" == (newer or [""])[0], (line, made_s)


def test_a_camera_that_is_unplugged_and_plugged_in_again_goes_on_being_labelled(device: Device) -> None:
    camera = device.plug_in("frog.png")
    device.serve("--camera", SECOND)
    try:
        device.wait_for_labels()
        process = device.check("systemctl show -p MainPID --value edge-runtime")
        since = device.now()
        device.pull_out(camera)
        device.wait_for_line("no_camera", since)
        labels = device.num_labels()
        camera = device.plug_in("ship.png")
        device.wait_for_labels(labels + 3)
        assert "ship" in device.wait_for_line("ship", since)
        assert device.check("systemctl show -p MainPID --value edge-runtime") == process
    finally:
        device.check("systemctl stop edge-runtime")
        device.pull_out(camera)


def test_two_cameras_that_swap_their_numbers_keep_their_names(device: Device) -> None:
    frog, ship = device.plug_in("frog.png", port=0), device.plug_in("ship.png", port=1)
    named = device.check("ls /dev/v4l/by-id/*serial0*index0").strip()
    try:
        assert predictions(device.run_lines(f"--camera {named} --frames 2"))[-1]["label"] == "frog"
        device.pull_out(frog)
        device.pull_out(ship)
        ship = device.plug_in("ship.png", port=1)  # now it comes first, as after another boot
        frog = device.plug_in("frog.png", port=0)
        assert (
            device.check(f"readlink -f {SECOND}; cat /sys/class/video4linux/video1/device/../serial").split()[-1]
            == "serial1"
        )
        assert predictions(device.run_lines(f"--camera {named} --frames 2"))[-1]["label"] == "frog"
    finally:
        device.pull_out(frog)
        device.pull_out(ship)


@pytest.mark.parametrize(("how", "state"), [("silent", "no_camera"), ("frozen", "frozen"), ("torn", "no_camera")])
def test_a_camera_that_fails_in_use_is_told_and_gives_no_label(
    device: Device, camera: Camera, how: str, state: str
) -> None:
    with LiveRun(device, f"--camera {SECOND}") as run:
        at = run.wait_for("label", "frog")
        device.show(camera, "frog.png", how)
        told = run.wait_for("state", state, at)
        time.sleep(3)
        assert predictions(run.lines()[told:]) == []
        device.show(camera, "ship.png")
        run.wait_for("label", "ship", told)
    assert run.code == 0
