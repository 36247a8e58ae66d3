"""Asks the kernel about a video device, through a few V4L2 ioctls. Changes nothing in the device."""

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
    """``card`` is the camera's name, ``bus`` where it is plugged in; ``kind`` is the kernel's number for the kind of
    capture, 0 if it gives no images.
    """

    card: str
    bus: str
    kind: int


@dataclass(frozen=True)
class VideoNode:
    """A video device: its ``formats`` as the kernel spells them, empty if it does not list any; ``is_busy`` if another
    program is using it.
    """

    capability: Capability
    formats: tuple[str, ...]
    is_busy: bool


def query_capability(path: Path) -> Capability:
    """What is at ``path``; OSError if it does not open or is not a video device."""
    with _opened(path) as fd:
        return _capability(fd)


def query_node(path: Path) -> VideoNode:
    """What is at ``path`` and whether it is free; OSError as for `query_capability`, or if the device fails."""
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
        except OSError:  # no more formats
            break
        names.append(request[44:48].decode("ascii", "replace").strip())
    return tuple(names)


def _is_busy(fd: int, kind: int) -> bool:
    """Requests a buffer, which only one program may hold, and returns it."""
    try:
        for count in (1, 0):
            fcntl.ioctl(fd, _REQBUFS, bytearray(struct.pack("<5I", count, kind, _BY_MMAP, 0, 0)))
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTTY):  # it offers no buffers, so this says nothing
            return False
        if error.errno == errno.EBUSY:
            return True
        raise
    return False
