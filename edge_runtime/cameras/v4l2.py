"""What the kernel says of a video device, by the few ioctls of V4L2 that tell it. Changes nothing in the device."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# From the kernel's include/uapi/linux/videodev2.h.
_QUERYCAP, _ENUM_FMT, _REQBUFS = 0x80685600, 0xC0405602, 0xC0145608
_CAN_CAPTURE, _CAN_CAPTURE_PLANES, _HAS_OWN_CAPABILITIES = 0x1, 0x1000, 0x80000000
_CAPTURE, _CAPTURE_PLANES, _BY_MMAP = 1, 9, 1


@dataclass(frozen=True)
class Capability:
    """``card`` is the camera's name, ``bus`` where it is plugged in; ``kind`` is the kernel's number for what it gives,
    0 when that is no images.
    """

    card: str
    bus: str
    kind: int


@dataclass(frozen=True)
class VideoNode:
    """A device that gives images: its ``formats`` as the kernel spells them, none where it does not tell; ``is_busy``
    when another program has it.
    """

    capability: Capability
    formats: tuple[str, ...]
    is_busy: bool


def query_capability(path: Path) -> Capability:
    """What is at ``path``; OSError when it does not open or is no video device."""
    with _opened(path) as fd:
        return _capability(fd)


def query_node(path: Path) -> VideoNode:
    """What is at ``path`` and whether it can be had; OSError as `query_capability`, or when the device fails."""
    with _opened(path) as fd:
        capability = _capability(fd)
        if not capability.kind:
            return VideoNode(capability, (), False)
        return VideoNode(capability, _formats(fd, capability.kind), _is_busy(fd, capability.kind))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _capability(fd: int) -> Capability:
    answer = bytearray(104)
    fcntl.ioctl(fd, _QUERYCAP, answer)
    card, bus = (answer[start:end].split(b"\0")[0].decode("utf-8", "replace") for start, end in ((16, 48), (48, 80)))
    whole, own = struct.unpack_from("<II", answer, 84)
    can = own if whole & _HAS_OWN_CAPABILITIES else whole
    kind = _CAPTURE if can & _CAN_CAPTURE else _CAPTURE_PLANES if can & _CAN_CAPTURE_PLANES else 0
    return Capability(card.strip(), bus.strip(), kind)


def _formats(fd: int, kind: int) -> tuple[str, ...]:
    names: list[str] = []
    for index in range(64):
        request = bytearray(struct.pack("<II", index, kind) + bytes(56))
        try:
            fcntl.ioctl(fd, _ENUM_FMT, request)
        except OSError:  # that was the last
            break
        names.append(request[44:48].decode("ascii", "replace").strip())
    return tuple(names)


def _is_busy(fd: int, kind: int) -> bool:
    """Asks for a buffer, which only one program may have, and gives it back."""
    try:
        for count in (1, 0):
            fcntl.ioctl(fd, _REQBUFS, bytearray(struct.pack("<5I", count, kind, _BY_MMAP, 0, 0)))
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTTY):  # it lends no memory: nothing is known
            return False
        if error.errno == errno.EBUSY:
            return True
        raise
    return False
