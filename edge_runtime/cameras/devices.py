"""The V4L2 cameras of this machine: their names, their stable paths, and why one gives no images."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.cameras.v4l2 import query_node

# What OpenCV converts (modules/videoio/src/cap_v4l.cpp, try_palette). It also accepts Y10 and Y12, and crashes on them.
READABLE = (
    "MJPG", "JPEG", "YUYV", "UYVY", "NV12", "NV21", "YU12", "YV12", "411P", "BGR3", "RGB3", "XR24", "AR24", "GREY",
    "Y16", "BA81", "GBRG", "S910",
)  # fmt: skip
# The raw devices of a Pi's camera, which only libcamera can use.
PI_CAMERAS = ("unicam", "rp1-cfe", "bcm2835-isp", "pispbe")


@dataclass(frozen=True)
class VideoDevice:
    """``path`` is /dev/videoN, which may change whenever a camera is plugged in; ``lasting`` is the path that stays
    with the camera, or empty; ``name`` is the camera's own name; ``place`` is its folder in sysfs, the same for all
    devices of one camera, or empty.
    """

    path: str
    name: str
    lasting: str = ""
    place: str = ""


@dataclass(frozen=True)
class Refusal:
    """Why a device gives no image: ``kind`` is busy, no_images, format, gone, forbidden, no_camera or fault; ``words``
    is the end of a sentence, with a remedy.
    """

    kind: str
    words: str


def list_devices(root: Path = Path("/")) -> list[VideoDevice]:
    """Every /dev/video*, by number; files are looked up below ``root``."""
    lasting: dict[str, str] = {}
    for folder in ("by-path", "by-id"):  # by-id overrides by-path where both exist
        for link in sorted((root / "dev/v4l" / folder).glob("*")):
            lasting[os.path.basename(os.path.realpath(link))] = f"/dev/v4l/{folder}/{link.name}"
    devices = []
    for device in sorted((root / "dev").glob("video[0-9]*"), key=lambda path: (len(path.name), path.name)):
        node = root / "sys/class/video4linux" / device.name
        try:
            name = (node / "name").read_text(errors="replace").strip()
        except OSError:
            name = ""
        place = os.path.realpath(node / "device") if (node / "device").exists() else ""
        devices.append(VideoDevice(f"/dev/{device.name}", name or "unnamed", lasting.get(device.name, ""), place))
    return devices


def find_devices(name: str, root: Path = Path("/")) -> list[VideoDevice]:
    """The first device of each camera whose name contains ``name``, ignoring case; only the exact matches if there are
    any.
    """
    wanted = name.strip().lower()
    found: dict[tuple[str, str], VideoDevice] = {}
    for device in list_devices(root):
        if wanted and wanted in device.name.lower():
            found.setdefault((device.place, device.name), device)
    exact = [device for device in found.values() if device.name.lower() == wanted]
    return exact or list(found.values())


def find_refusal(path: Path) -> Refusal | None:
    """Why the device at ``path`` gives no readable image; None if no reason is known."""
    try:
        node = query_node(path)
    except OSError as error:
        return _refuse_errno(error, path)
    card = node.capability.card
    if not node.capability.kind:
        words = f"is {card} but gives no images (a metadata or output node); use {_other_devices(card)}"
        return Refusal("no_images", words)
    if node.is_busy:
        return _refuse_busy(path)
    if node.formats and not set(node.formats) & set(READABLE):
        sent = ", ".join(node.formats)
        remedy = "; a Raspberry Pi's own camera is read by csi" if card.startswith(PI_CAMERAS) else ""
        return Refusal(
            "format", f"is {card} and sends {sent}, expected MJPG, YUYV or another that OpenCV reads{remedy}"
        )
    return None


def _other_devices(card: str) -> str:
    return "csi for a Raspberry Pi's own camera" if card.startswith(PI_CAMERAS) else "another of its /dev/video*"


def _refuse_busy(path: Path) -> Refusal:
    return Refusal("busy", f"is in use by another program; see which with: fuser -v {path}")


def _refuse_errno(error: OSError, path: Path) -> Refusal:
    if error.errno == errno.EBUSY:
        return _refuse_busy(path)
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return Refusal("gone", "is gone; check the cable, the hub and its power")
    if error.errno in (errno.EACCES, errno.EPERM):
        words = "cannot be opened by this user; join its group with: sudo usermod -aG video $USER"
        return Refusal("forbidden", words)
    if error.errno == errno.ENOTTY:
        return Refusal("no_camera", "is not a camera (it does not speak V4L2); use a /dev/video* that is one")
    return Refusal("fault", f"fails with {error.strerror}; unplug it and plug it in again")
