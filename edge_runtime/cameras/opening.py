"""Opens a camera by its address; a live camera runs in its own process."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.cameras.address import parse_camera
from edge_runtime.cameras.frame import FrameSource
from edge_runtime.cameras.lookout import Lookout
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.cameras.sources.opening import open_source
from edge_runtime.contract import InputSpec
from edge_runtime.errors import CameraError


def open_camera(
    camera: str | int | Path,
    shrink_for: InputSpec | None = None,
    *,
    wait: bool = False,
    options: CameraOptions | None = None,
) -> FrameSource:
    """The frames of ``camera``: a device index, /dev/videoN, an address, a video file, a folder, ``csi``,
    ``picamera2``, ``synthetic`` or ``demo``.

    Live cameras run in their own process, give only their newest frame and are reopened when they fail. With
    ``shrink_for``, a model's input spec, JPEG may be decoded smaller, though never smaller than that input. With
    ``wait`` a camera of this machine need not be there yet. ``options``, an
    ``edge_runtime.cameras.options.CameraOptions``, says what else is known of the camera.

    Raises:
        MissingInputError: there is no such file or folder.
        CameraError: there is no such camera on this machine, another program has it, or it sends an unreadable format.
        UsageError: the address is malformed.
        ConfigurationError: ``options`` do not fit this camera.
    """
    address = parse_camera(camera)
    if options is not None:
        options.check_for(address)
    if address.kind == "synthetic":
        from edge_runtime.cameras.sources.synthetic import parse_options

        parse_options(address.value)
    if not address.live:
        source = open_source(address, shrink_for, options)
        if options is not None and options.look is not None:
            source.look, source.lookout = options.look, Lookout(options.look)
        return source
    if not wait:
        from edge_runtime.cameras.devices import find_refusal
        from edge_runtime.cameras.presence import find_device_path, find_pi_program

        if address.kind == "device":
            refusal = find_refusal(find_device_path(address.value))
            if refusal is not None:
                raise CameraError(f"{address.shown} {refusal.words}.")
        elif address.kind == "csi":
            find_pi_program()
    from edge_runtime.cameras.capture.parent import Capture

    return Capture(address, shrink_for, options=options)
