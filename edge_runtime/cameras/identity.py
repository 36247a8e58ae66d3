"""Which camera a run began with: a number such as /dev/video0 goes to whichever camera is plugged in first.

Two cameras are the same if they have the same name and serial number or, without a serial number, the same place on the
bus.
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
    """``card`` is the camera's name, ``bus`` its place, ``serial`` its serial number or empty, ``index`` which of its
    devices it is.
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
        """One line that `from_text` reads."""
        return "\t".join((self.card, self.bus, self.serial, self.index))

    @classmethod
    def from_text(cls, text: str) -> Identity:
        """Reads what `to_text` wrote."""
        return cls(*text.split("\t"))


def is_numbered(device: str) -> bool:
    """Whether ``device`` is a number, which another camera may get later; a path by id or place is stable."""
    return re.fullmatch(r"(/dev/video)?\d+", device) is not None


def identify(path: Path, root: Path = Path("/")) -> Identity:
    """The camera at ``path``; OSError if it cannot be queried. Files are looked up below ``root``."""
    capability = query_capability(path)
    node = root / "sys/class/video4linux" / path.resolve().name
    # The serial number belongs to the USB device, the parent of the interface that the video device belongs to.
    serial, index = _read(node / "device/../serial"), _read(node / "index")
    return Identity(*(re.sub(r"\s+", " ", each) for each in (capability.card, capability.bus, serial, index)))


def find_again(began_with: Identity, path: Path, root: Path = Path("/")) -> Path:
    """Where the camera ``began_with`` is now: usually at ``path``.

    Raises:
        CameraError: it is gone, and another camera may have its number.
    """
    present = {}
    for candidate in dict.fromkeys([path, *(root / device.path.lstrip("/") for device in list_devices(root))]):
        try:
            present[candidate] = identify(candidate, root)
        except OSError:  # gone, or held by another program
            continue
    for is_same in (_is_at_its_place, _has_its_number):
        found = [place for place, identity in present.items() if is_same(began_with, identity)]
        if len(found) == 1 or path in found:
            return path if path in found else found[0]
    if path in present:
        raise CameraError(
            f"{path} is now {present[path]}, but this run began with {began_with}; plug that one in again, or start "
            "the run again. A path from /dev/v4l/by-id stays with its camera."
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
