"""Which camera a run began with: numbers such as /dev/video0 go to whoever is plugged in first.

A camera is the same when it has the same name and the same serial number, or, without one, hangs at the same place of
the bus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.cameras.devices import list_devices
from edge_runtime.cameras.v4l2 import query_capability
from edge_runtime.errors import CameraError


@dataclass(frozen=True)
class Identity:
    """``card`` is the camera's name, ``bus`` its place, ``serial`` its number or empty, ``index`` which of its
    devices.
    """

    card: str
    bus: str
    serial: str = ""
    index: str = ""

    def __str__(self) -> str:
        return (
            f"{self.card} (serial number {self.serial}, at {self.bus})" if self.serial else f"{self.card} at {self.bus}"
        )

    def to_text(self) -> str:
        """One line, for `from_text`."""
        return "\t".join((self.card, self.bus, self.serial, self.index))

    @classmethod
    def from_text(cls, text: str) -> Identity:
        """What `to_text` wrote."""
        return cls(*text.split("\t"))


def is_numbered(device: str) -> bool:
    """Whether ``device`` names a camera by a number, which may become another's; a path by id or place lasts."""
    return re.fullmatch(r"(/dev/video)?\d+", device) is not None


def identify(path: Path, root: Path = Path("/")) -> Identity:
    """The camera at ``path``; OSError when it cannot be asked. ``root`` replaces / where files are looked at."""
    capability = query_capability(path)
    node = root / "sys/class/video4linux" / path.resolve().name
    # The serial number belongs to the USB device, above the interface that the video device hangs at.
    serial, index = _read(node / "device/../serial"), _read(node / "index")
    return Identity(*(re.sub(r"\s+", " ", each) for each in (capability.card, capability.bus, serial, index)))


def find_again(began_with: Identity, path: Path, root: Path = Path("/")) -> Path:
    """Where the camera ``began_with`` is now: at ``path`` as a rule.

    Raises:
        CameraError: it is gone, and another camera may have its number.
    """
    present = {}
    for candidate in dict.fromkeys([path, *(root / device.path.lstrip("/") for device in list_devices(root))]):
        try:
            present[candidate] = identify(candidate, root)
        except OSError:  # gone, or another program's alone
            continue
    for is_same in (_is_at_its_place, _has_its_number):
        found = [place for place, identity in present.items() if is_same(began_with, identity)]
        if len(found) == 1 or path in found:
            return path if path in found else found[0]
    if path in present:
        raise CameraError(
            f"{path} is now {present[path]}, but this run began with {began_with}; plug that one in again, or start "
            "the run anew. A path from /dev/v4l/by-id stays with its camera."
        )
    raise CameraError(f"{path}, {began_with}, is gone; check the cable, the hub and its power.")


def _is_at_its_place(one: Identity, other: Identity) -> bool:
    return one == other


def _has_its_number(one: Identity, other: Identity) -> bool:
    return bool(one.serial) and (one.card, one.serial, one.index) == (other.card, other.serial, other.index)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
