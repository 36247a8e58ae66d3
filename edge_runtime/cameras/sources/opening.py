"""Opens a source in this process; each kind has its own module, imported only when needed."""

from __future__ import annotations

from dataclasses import replace

from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.frame import FrameSource
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.cameras.sources.playback import Playback, Recording
from edge_runtime.contract import InputSpec


def open_source(
    address: CameraAddress, shrink_for: InputSpec | None = None, options: CameraOptions | None = None
) -> FrameSource:
    """The source behind ``address``, opened in this process; raises as `open_camera` does."""
    refusal, options = "", options or CameraOptions()
    if not address.live:
        return _open_file(address, shrink_for, options)
    if address.kind == "synthetic":
        from edge_runtime.cameras.sources.synthetic import SyntheticCamera

        return SyntheticCamera(address.value)
    if address.kind == "demo":
        from edge_runtime.cameras.sources.demo import DemoCamera

        return DemoCamera()
    if address.kind == "csi":
        from edge_runtime.cameras.sources.rpicam import PiCamera

        return PiCamera(shrink_for)
    if address.kind == "picamera2":
        from edge_runtime.cameras.sources.picamera2 import Picamera2Camera

        return Picamera2Camera()
    if address.kind == "http":
        from edge_runtime.cameras.sources.http_refusal import NotJpegStreamError
        from edge_runtime.cameras.sources.mjpeg import MjpegCamera

        try:
            return MjpegCamera(address.value, shrink_for, options)
        except NotJpegStreamError as error:
            refusal, address = str(error), replace(address, value=error.address)
    if address.kind == "device":
        from edge_runtime.cameras.sources.opencv.device import DeviceCamera

        return DeviceCamera(address, shrink_for)
    from edge_runtime.cameras.sources.opencv.stream import StreamCamera

    return StreamCamera(address, options.camera_ca, refusal)


def _open_file(address: CameraAddress, shrink_for: InputSpec | None, options: CameraOptions) -> FrameSource:
    recording: Recording
    if address.kind == "folder":
        from edge_runtime.cameras.sources.folder import FolderCamera

        recording = FolderCamera(address.value, shrink_for, options.expect_fps)
    else:
        from edge_runtime.cameras.sources.opencv.video_file import VideoFileCamera

        recording = VideoFileCamera(address.value)
    if options.realtime or options.loop:
        return Playback(recording, realtime=options.realtime, loop=options.loop)
    return recording
