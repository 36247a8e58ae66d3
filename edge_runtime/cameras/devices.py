"""The V4L2 cameras of this machine: their names, their lasting paths, and why one does not open."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path

_QUERYCAP, _ENUM_FMT, _REQBUFS = 0x80685600, 0xC0405602, 0xC0145608
_CAN_CAPTURE, _HAS_OWN_CAPABILITIES = 0x1 | 0x1000, 0x80000000
_CAPTURE, _BY_MMAP = 1, 1


@dataclass(frozen=True)
class VideoDevice:
    """``path`` is /dev/videoN, which changes with every plug; ``lasting`` the path that stays with the camera, or
    empty; ``name`` is the camera's own.
    """

    path: str
    name: str
    lasting: str = ""


def list_devices(root: Path = Path("/")) -> list[VideoDevice]:
    """Every /dev/video*, by number; ``root`` replaces / where files are looked at."""
    lasting: dict[str, str] = {}
    for folder in ("by-path", "by-id"):  # the second is better, where it exists
        for link in sorted((root / "dev/v4l" / folder).glob("*")):
            lasting[os.path.basename(os.path.realpath(link))] = f"/dev/v4l/{folder}/{link.name}"
    devices = []
    for device in sorted((root / "dev").glob("video[0-9]*"), key=lambda path: (len(path.name), path.name)):
        try:
            name = (root / "sys/class/video4linux" / device.name / "name").read_text(errors="replace").strip()
        except OSError:
            name = ""
        devices.append(VideoDevice(f"/dev/{device.name}", name or "unnamed", lasting.get(device.name, "")))
    return devices


def find_device(name: str, root: Path = Path("/")) -> VideoDevice | None:
    """The first device of the only camera whose name holds ``name``, whatever its case; None when none or several
    do.
    """
    found = [device for device in list_devices(root) if name.strip().lower() in device.name.lower()]
    return found[0] if name.strip() and len({device.name for device in found}) == 1 else None


def explain_device(path: Path) -> str:
    """Why no image can be had from the device at ``path``, with a remedy, as the end of a sentence."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return _explain_errno(error, path)
    try:
        capability = bytearray(104)
        fcntl.ioctl(fd, _QUERYCAP, capability)
        card = capability[16:48].split(b"\0")[0].decode("utf-8", "replace")
        whole, own = struct.unpack_from("<II", capability, 84)
        if not (own if whole & _HAS_OWN_CAPABILITIES else whole) & _CAN_CAPTURE:
            return f"is {card} but gives no images (a metadata or output node); use another of its /dev/video*"
        formats = _formats(fd)
        fcntl.ioctl(fd, _REQBUFS, bytearray(struct.pack("<5I", 1, _CAPTURE, _BY_MMAP, 0, 0)))
        fcntl.ioctl(fd, _REQBUFS, bytearray(struct.pack("<5I", 0, _CAPTURE, _BY_MMAP, 0, 0)))
    except OSError as error:
        return _explain_errno(error, path)
    finally:
        os.close(fd)
    return f"is {card} and sends {', '.join(formats) or 'no format'}, expected MJPG, YUYV or another that OpenCV reads"


def _formats(fd: int) -> list[str]:
    names: list[str] = []
    for index in range(64):
        request = bytearray(struct.pack("<II", index, _CAPTURE) + bytes(56))
        try:
            fcntl.ioctl(fd, _ENUM_FMT, request)
        except OSError:  # that was the last
            break
        names.append(request[44:48].decode("ascii", "replace").strip())
    return names


def _explain_errno(error: OSError, path: Path) -> str:
    if error.errno == errno.EBUSY:
        return f"is in use by another program; see which with: fuser -v {path}"
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return "is gone; check the cable, the hub and its power"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "may not be opened by this user; join its group with: sudo usermod -aG video $USER"
    if error.errno == errno.ENOTTY:
        return "is no camera (it does not speak V4L2); use a /dev/video* that is one"
    return f"fails with {error.strerror}; unplug it and plug it in again"
