"""Opens a camera by its address; every kind of camera is in a file of its own and imported only when asked for."""

from __future__ import annotations

import contextlib
from pathlib import Path

from edge_runtime.cameras.address import CameraAddress, parse_camera
from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.contract import InputSpec

__all__ = ["CameraAddress", "Frame", "FrameSource", "open_camera", "open_source", "parse_camera"]


def open_camera(camera: str | int | Path, shrink_for: InputSpec | None = None, *, wait: bool = False) -> FrameSource:
    """The frames of ``camera``: a device index, /dev/videoN, an address, a video file, a folder, ``csi``,
    ``picamera2``, ``synthetic`` or ``demo``.

    Live cameras run in a process of their own, give only their newest frame and are reopened when they fail. With
    ``shrink_for``, a model's input spec, JPEG may be decoded smaller, though never below that input. With ``wait`` a
    camera of this machine need not be there yet.

    Raises:
        MissingInputError: no such file or folder.
        CameraError: there is no such camera on this machine.
        UsageError: the address is malformed.
    """
    address = parse_camera(camera)
    if address.kind == "synthetic":
        from edge_runtime.cameras.synthetic import parse_options

        parse_options(address.value)
    if not address.live:
        return open_source(address, shrink_for)
    if not wait:
        from edge_runtime.cameras.presence import device_path, pi_program

        if address.kind == "device":
            device_path(address.value)
        elif address.kind == "csi":
            pi_program()
    from edge_runtime.capture import Capture

    return Capture(address, shrink_for)


def open_source(address: CameraAddress, shrink_for: InputSpec | None = None) -> FrameSource:
    """The source behind ``address``, opened in this process; raises as `open_camera` does."""
    if address.kind == "synthetic":
        from edge_runtime.cameras.synthetic import SyntheticCamera

        return SyntheticCamera(address.value)
    if address.kind == "demo":
        from edge_runtime.cameras.demo import DemoCamera

        return DemoCamera()
    if address.kind == "folder":
        from edge_runtime.cameras.folder import FolderCamera

        return FolderCamera(address.value, shrink_for)
    if address.kind == "csi":
        from edge_runtime.cameras.rpicam import PiCamera

        return PiCamera(shrink_for)
    if address.kind == "picamera2":
        from edge_runtime.cameras.picamera2 import Picamera2Camera

        return Picamera2Camera()
    if address.kind == "http":
        from edge_runtime.cameras.mjpeg import MjpegCamera, NotMultipartError

        with contextlib.suppress(NotMultipartError):
            return MjpegCamera(address.value, shrink_for)
    from edge_runtime.cameras.opencv import DeviceCamera, StreamCamera, VideoFileCamera

    if address.kind == "device":
        return DeviceCamera(address.value, address.shown, shrink_for)
    if address.kind == "video":
        return VideoFileCamera(address.value)
    return StreamCamera(address.value)
