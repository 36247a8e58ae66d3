"""Checks that a camera of this machine exists, without opening it, so that a wrong name fails at once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edge_runtime.errors import CameraError

PI_PROGRAMS = ("rpicam-vid", "libcamera-vid")


def find_device_path(device: str) -> Path:
    """The path of a V4L2 device given by index or path.

    Raises:
        CameraError: it does not exist, or this user may not open it.
    """
    path = Path(f"/dev/video{device}") if device.isdigit() else Path(device)
    if not path.exists():
        raise CameraError(f"There is no camera {path}; {_devices_here()}.")
    if not os.access(path, os.R_OK | os.W_OK):
        raise CameraError(f"{path} cannot be opened by this user; join its group with: sudo usermod -aG video $USER")
    return path


def find_pi_program() -> str:
    """The path of the program that reads a Raspberry Pi camera; CameraError if none is installed."""
    for program in PI_PROGRAMS:
        path = shutil.which(program)
        if path:
            return path
    raise CameraError(
        f"Neither {' nor '.join(PI_PROGRAMS)} is installed, and OpenCV cannot read a Pi camera; "
        "install one with: sudo apt install rpicam-apps-lite"
    )


def _devices_here() -> str:
    devices = sorted(str(path) for path in Path("/dev").glob("video*"))
    return (
        f"this machine has {', '.join(devices)}" if devices else "this machine has no /dev/video* at all; plug one in"
    )
