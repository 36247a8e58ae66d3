"""Lets only one process at a time use a camera that cannot be shared, and leaves nothing behind when that process dies.

The lock is the name of an abstract Unix socket: the kernel frees it with its last holder, so no lock file goes stale.
Any user of the machine can take such a name, even one who may not use the camera. So a process that finds it taken asks
the kernel who holds it: only a user who may open the camera can keep others from it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from edge_runtime.cameras.address import CameraAddress
from edge_runtime.errors import AlreadyRunningError

_VIDEO_GROUP = "video"
_log = logging.getLogger(__name__)
EXCLUSIVE_KINDS = ("device", "csi", "picamera2")


@contextlib.contextmanager
def lock_camera(address: CameraAddress) -> Iterator[None]:
    """Holds the camera while the block runs; shareable cameras (addresses, files) are not locked.

    Raises:
        AlreadyRunningError: another edge-runtime on this machine holds it.
    """
    if address.kind not in EXCLUSIVE_KINDS:
        yield
        return
    # The Pi's camera is the same camera through either program.
    camera = os.path.realpath(address.shown) if address.kind == "device" else "csi"
    name = "\0edge-runtime-" + hashlib.sha256(camera.encode()).hexdigest()[:32]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        try:
            lock.bind(name)
            lock.listen()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if _is_held_rightly(name, camera):
                raise AlreadyRunningError(
                    f"Another edge-runtime holds the camera {address.shown}; stop that one first, or choose another "
                    "camera."
                ) from error
            _log.warning(
                "A user who may not use the camera %s holds its lock; it is used without the lock.", address.shown
            )
        yield


def _is_held_rightly(name: str, camera: str) -> bool:
    """Whether the holder of ``name`` is this user, root, or a user who may open the camera.

    A holder that refuses connections is not an edge-runtime. Without the lock, the camera itself refuses a second run.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as question:
        question.setblocking(False)
        try:
            question.connect(name)
            pid, user, group = struct.unpack("3i", question.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        except OSError:
            return False
    return user in (0, os.geteuid()) or _may_open(camera, user, {group, *_groups_of(pid)})


def _groups_of(pid: int) -> set[int]:
    with contextlib.suppress(OSError):  # it has ended, or this user may not read it
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("Groups:"):
                return {int(each) for each in line.split()[1:]}
    return set()


def _may_open(camera: str, user: int, groups: set[int]) -> bool:
    try:
        found = os.stat(camera)
    except OSError:  # the Pi's camera, which has several device files
        return _video_group() in groups
    bits = 0o006 | 0o060 * (found.st_gid in groups) | 0o600 * (found.st_uid == user)
    return bool(found.st_mode & bits & 0o444)


def _video_group() -> int | None:
    import grp

    with contextlib.suppress(KeyError):
        return grp.getgrnam(_VIDEO_GROUP).gr_gid
    return None
