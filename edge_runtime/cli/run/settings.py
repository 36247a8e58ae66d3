"""What the flags of ``run`` mean, before anything is opened."""

from __future__ import annotations

import dataclasses
import math
from argparse import Namespace
from dataclasses import dataclass

from edge_runtime.cameras.address import CameraAddress, parse_camera
from edge_runtime.cameras.lookout import LookConfig
from edge_runtime.cameras.options import CameraOptions
from edge_runtime.cli.flags import read_camera_options
from edge_runtime.live.health import HealthConfig
from edge_runtime.live.loop_config import LoopConfig
from edge_runtime.live.smoothing import Hold, parse_hold


@dataclass(frozen=True)
class RunSettings:
    """The camera, its options, and how its loop runs."""

    camera: CameraAddress
    options: CameraOptions
    config: LoopConfig


def read_settings(flags: Namespace, address: str) -> RunSettings:
    """What ``flags`` mean for the camera at ``address``. Raises what `parse_camera`, `CameraOptions` and `LoopConfig`
    raise.
    """
    camera = parse_camera(address)
    hold = parse_hold(flags.hold) if flags.hold else None
    options = choose_playback(read_camera_options(flags), flags, camera)
    options = dataclasses.replace(options, look=read_look_flags(flags, hold))
    options.check_for(camera)
    give_up_s = flags.give_up_s
    if give_up_s is None:  # those who can see that a camera is missing can also see it come
        give_up_s = options.choose_patience_s(30.0) if flags.web is None and not flags.mqtt else math.inf
    config = LoopConfig(
        max_age_ms=flags.max_age_ms,
        max_frames=flags.frames,
        hold=hold,
        give_up_s=give_up_s,
        health=HealthConfig(expect_fps=options.expect_fps),
    )
    return RunSettings(camera, options, config)


def read_look_flags(flags: Namespace, hold: Hold | None) -> LookConfig | None:
    """What the flags say about when to look, None for every frame; raises what `LookConfig` raises."""
    if flags.max_fps is None and flags.every is None and not flags.on_motion:
        return None
    return LookConfig(flags.max_fps, flags.every, flags.on_motion, hold.window if hold is not None else 1)


def choose_playback(options: CameraOptions, flags: Namespace, camera: CameraAddress) -> CameraOptions:
    """With a live page a file is played like a camera, or it would be over before anybody looked."""
    is_shown = flags.web is not None and not camera.live
    realtime = is_shown if flags.realtime is None else flags.realtime
    loop = is_shown if flags.loop is None else flags.loop
    return dataclasses.replace(options, realtime=realtime, loop=loop)
