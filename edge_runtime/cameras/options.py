"""What may be said about a camera besides its address."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge_runtime.cameras.address import CameraAddress
from edge_runtime.cameras.lookout import LookConfig
from edge_runtime.cameras.pace import PATIENCE
from edge_runtime.errors import ConfigurationError, UsageError


@dataclass(frozen=True)
class CameraOptions:
    """``expect_fps`` is how many frames per second the camera normally gives; None: it is learnt. ``look`` says which
    frames of a live camera are looked at; None: all of them.

    ``camera_ca`` is a certificate file by which an https or rtsps camera is verified: its own certificate, or its
    authority's; None: the system's authorities.

    For a video file or a folder of images: with ``realtime`` each frame comes at its time stamp, as from a live camera,
    and a folder gives ``expect_fps`` images per second, or one without; with ``loop`` it starts again at its end.

    Raises:
        UsageError: ``expect_fps`` is not above 0.
        MissingInputError, ConfigurationError: ``camera_ca`` is not a certificate file.
    """

    expect_fps: float | None = None
    camera_ca: str | None = None
    realtime: bool = False
    loop: bool = False
    look: LookConfig | None = None

    def __post_init__(self) -> None:
        if self.expect_fps is not None and not 0 < self.expect_fps < math.inf:
            raise UsageError(f"`expect_fps` is {self.expect_fps:g}, expected frames per second above 0, such as 0.1.")
        if self.camera_ca is not None:
            from edge_runtime.cameras.tls import make_context

            make_context(self.camera_ca)

    def check_for(self, address: CameraAddress) -> None:
        """Raises ConfigurationError if an option does not fit this camera."""
        if self.camera_ca is not None and not address.is_encrypted:
            raise ConfigurationError(
                f"`camera_ca` is for https:// and rtsps://, but the camera is {address.shown}, which shows no "
                "certificate."
            )
        for name, is_asked in (("realtime", self.realtime), ("loop", self.loop)):
            if is_asked and address.live:
                raise ConfigurationError(
                    f"`{name}` is for video files and folders of images, but the camera is {address.shown}, which is "
                    "live."
                )

        if self.look is not None and not (address.live or self.realtime):
            raise ConfigurationError(
                f"`max_fps`, `every_s` and `on_motion` are for live cameras, but every image of {address.shown} is "
                "looked at; leave them out, or play it in `realtime`."
            )

    def choose_patience_s(self, least_s: float) -> float:
        """How long to wait for a first frame: ``least_s``, or longer for a camera that is known to be slow."""
        return max(least_s, PATIENCE / self.expect_fps) if self.expect_fps else least_s


def describe_silence(name: str) -> str:
    """What to do about the camera ``name``, of which nothing is known but that no frame came while one was waited
    for.
    """
    return f"{name} is silent; check cable, power and address, or say how slow it is by nature (`expect_fps`)."
