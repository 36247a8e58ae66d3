"""A camera without hardware: a moving pattern whose frames carry their number in the pixels.

With it a device can be tried out, and a fault rehearsed, before any camera is attached.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import numpy as np

from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.errors import UsageError
from edge_runtime.pixels.preprocess import Image
from edge_runtime.system.clock import monotonic_s

COUNTER_BITS = 24
CELL = 8


@dataclass(frozen=True)
class SyntheticOptions:
    """``synthetic[:WIDTHxHEIGHT][@FPS]``, for example ``synthetic:1280x720@15``."""

    width: int = 640
    height: int = 480
    fps: float = 30.0

    def __post_init__(self) -> None:
        if not (CELL * COUNTER_BITS <= self.width <= 8192 and 2 * CELL <= self.height <= 8192 and 0 < self.fps <= 1000):
            raise UsageError(
                f"The synthetic camera is {self.width}x{self.height} at {self.fps:g} fps, expected at least "
                f"{CELL * COUNTER_BITS}x{2 * CELL}, at most 8192x8192, and above 0 to 1000 fps."
            )


def parse_options(text: str) -> SyntheticOptions:
    """The options that follow ``synthetic:``; UsageError if they are not of the form WIDTHxHEIGHT@FPS."""
    match = re.fullmatch(r"(?:(\d{1,9})x(\d{1,9}))?(?:@(\d{1,9}(?:\.\d+)?))?", text)
    if match is None:
        raise UsageError(f"The synthetic camera's options are {text!r}, expected WIDTHxHEIGHT@FPS such as 640x480@30.")
    width, height, fps = match.groups()
    default = SyntheticOptions()
    return SyntheticOptions(int(width or default.width), int(height or default.height), float(fps or default.fps))


class SyntheticCamera(FrameSource):
    """Frames at a steady rate; a late call skips the frames that a real camera would have lost."""

    live = True

    def __init__(self, options: str = "") -> None:
        self.options = parse_options(options)
        self.name = f"synthetic {self.options.width}x{self.options.height} at {self.options.fps:g} fps"
        self._background = draw_wave_image(self.options.height, self.options.width)
        self._next_s = monotonic_s()

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        wait_s = self._next_s - monotonic_s()
        if wait_s > timeout_s:
            time.sleep(timeout_s)
            return None
        if wait_s > 0:
            time.sleep(wait_s)
        self._next_s = max(self._next_s, monotonic_s() - 1.0) + 1.0 / self.options.fps
        self.num_captured += 1
        number = self.num_captured - 1
        return Frame(draw_numbered_image(self._background, number), number, monotonic_s())


def draw_numbered_image(background: Image, number: int) -> Image:
    """A copy of ``background`` scrolled by ``number`` pixels, with ``number`` encoded as black and white cells in its
    corner.
    """
    image: Image = np.roll(background, number % background.shape[1], axis=1)
    for bit in range(COUNTER_BITS):
        image[: 2 * CELL, bit * CELL : (bit + 1) * CELL] = 255 * (number >> bit & 1)
    return image


def read_image_number(image: Image) -> int:
    """The number that `draw_numbered_image` wrote into an image of that size, even after JPEG compression."""
    row = image[CELL, CELL // 2 : COUNTER_BITS * CELL : CELL].mean(axis=1) > 127
    return sum(int(is_set) << bit for bit, is_set in enumerate(row))


def draw_wave_image(height: int, width: int) -> Image:
    """A (height, width, 3) uint8 image of smooth coloured waves, always the same."""
    across = np.linspace(0, 2 * np.pi, width, endpoint=False)
    down = np.linspace(0, 4 * np.pi, height)[:, None]
    waves = [127 + 100 * np.sin((channel + 1) * across + down + channel) for channel in range(3)]
    image: Image = np.stack(waves, axis=2).astype(np.uint8)
    return image
