"""Attack 11: a user of the machine who may not use the camera takes the name of its lock, so that no run can start.
Stopped by asking the kernel who holds it: only who could hold the camera itself counts.
"""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.cameras import lock
from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.lock import lock_camera
from edge_runtime.errors import AlreadyRunningError

CSI = CameraAddress("csi", "")
TAKE = """
import os, socket, sys
held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
if sys.argv[2] != "-":
    groups = [int(each) for each in sys.argv[2].split(",")]
    os.setgroups(groups[1:]), os.setgid(groups[0]), os.setuid(4711)
held.bind(chr(0) + sys.argv[1])
held.listen()
print("held", flush=True)
sys.stdin.read()
"""


def name_of(camera: str) -> str:
    return "edge-runtime-" + hashlib.sha256(camera.encode()).hexdigest()[:32]


@pytest.fixture
def taken(request: pytest.FixtureRequest) -> Iterator[None]:
    """The Pi camera's lock is held by a process with the groups of the parameter ("-": by this user)."""
    command = [sys.executable, "-c", TAKE, name_of("csi"), request.param]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        yield
        holder.kill()


def test_who_takes_the_name_and_lets_nobody_ask_keeps_nobody_out(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as squatter:
        squatter.bind("\0" + name_of("csi"))
        with lock_camera(CSI):
            pass
    assert "A user who may not use the camera csi holds its lock; it is used without the lock." in caplog.text


@pytest.mark.parametrize("taken", ["-"], indirect=True)
@pytest.mark.usefixtures("taken")
def test_another_run_of_the_same_user_does() -> None:
    with pytest.raises(AlreadyRunningError, match=r"Another edge-runtime holds the camera csi"), lock_camera(CSI):
        pass


@pytest.mark.parametrize("kinds", [("csi", "picamera2"), ("picamera2", "csi")])
def test_the_pis_camera_is_one_camera_by_either_name(kinds: tuple[str, str]) -> None:
    first, second = (CameraAddress(kind, "") for kind in kinds)
    with lock_camera(first), pytest.raises(AlreadyRunningError, match=f"holds the camera {kinds[1]}; stop"):  # noqa: SIM117
        with lock_camera(second):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("taken", ["4712", "4712,4713"], indirect=True)
@pytest.mark.usefixtures("taken")
def test_a_user_without_the_right_to_the_camera_keeps_nobody_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lock, "_video_group", lambda: 4714)
    with lock_camera(CSI):
        pass
    assert "it is used without" in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("taken", ["4714", "4712,4714"], indirect=True)
@pytest.mark.usefixtures("taken")
def test_a_user_of_the_cameras_group_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_video_group", lambda: 4714)
    with pytest.raises(AlreadyRunningError, match=r"Another edge-runtime holds the camera csi"), lock_camera(CSI):
        pass


@pytest.mark.parametrize(
    ("mode", "user", "groups", "may"),
    [
        (0o660, 4711, {4712}, False),
        (0o660, 4711, {4712, 4713}, True),
        (0o600, 4711, {4713}, False),
        (0o600, 4710, set(), True),
        (0o666, 4711, set(), True),
    ],
)
def test_who_may_open_a_device(
    mode: int, user: int, groups: set[int], may: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = os.stat_result((stat.S_IFCHR | mode, 0, 0, 1, 4710, 4713, 0, 0, 0, 0))
    monkeypatch.setattr(lock.os, "stat", lambda path: found)
    assert lock._may_open("/dev/video0", user, groups) is may
