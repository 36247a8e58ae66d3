"""Lets one process at a time use a camera that only one can open, and leaves nothing behind when that process dies.

The lock is a name of an abstract Unix socket: the kernel frees it with its last holder, so there is no stale lock file.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
from collections.abc import Iterator

from edge_runtime.cameras.address import CameraAddress
from edge_runtime.errors import AlreadyRunningError

EXCLUSIVE_KINDS = ("device", "csi", "picamera2")


@contextlib.contextmanager
def lock_camera(address: CameraAddress) -> Iterator[None]:
    """Holds the camera while the block runs; cameras that many can read (addresses, files) are not locked.

    Raises:
        AlreadyRunningError: another edge-runtime on this machine holds it.
    """
    if address.kind not in EXCLUSIVE_KINDS:
        yield
        return
    # The Pi's camera is one camera, by either program.
    camera = os.path.realpath(address.shown) if address.kind == "device" else "csi"
    name = "\0edge-runtime-" + hashlib.sha256(camera.encode()).hexdigest()[:32]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        try:
            lock.bind(name)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise AlreadyRunningError(
                f"Another edge-runtime holds the camera {address.shown}; stop that one first, or choose another camera."
            ) from error
        yield
