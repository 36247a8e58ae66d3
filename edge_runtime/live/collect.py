"""Gathers training images of one class with the device's own camera, so that training sees what the camera will see.

Blurred frames and those much like an image already kept are left out; nothing is ever overwritten, and there is a limit
on what is written.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from edge_runtime.cameras.frame import Frame, FrameSource
from edge_runtime.cameras.options import describe_silence
from edge_runtime.contract import InputSpec, Region
from edge_runtime.errors import CameraError, DataError, MissingInputError, OutputError, UsageError
from edge_runtime.pixels.image_file import read_image_bytes
from edge_runtime.pixels.jpeg_region import mark_region
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image
from edge_runtime.pixels.region import cut_region
from edge_runtime.pixels.shrink import decode_shrunk
from edge_runtime.system.clock import monotonic_s

POLL_S = 0.1
JPEG_QUALITY = 95
SHARPNESS_SIDE, THUMBNAIL_SIDE = 320, 16
NUM_REMEMBERED = 200
# As large as an image that was kept earlier is decoded before it becomes a thumbnail.
_SMALL = InputSpec(8 * THUMBNAIL_SIDE, 8 * THUMBNAIL_SIDE)
# Time stamps in files are rounded.
STAMPS_DIFFER_S = 1e-3


@dataclass(frozen=True)
class CollectConfig:
    """``every_s`` is the time between two images (in a file, by its time stamps), None: only when asked for one.
    ``max_images`` None means no limit.

    ``max_mb`` caps what the class's folder holds, in 10^6 bytes. ``min_sharpness`` is the variance of the Laplacian
    at 320 pixels' length, ``min_change`` the mean difference of 16x16 grey thumbnails (0..255) from
    every recently kept image. Only ``region`` of each frame is judged and saved, None for the whole frame.
    """

    folder: Path
    label: str
    every_s: float | None = 1.0
    max_images: int | None = None
    max_mb: float = 500.0
    min_sharpness: float = 20.0
    min_change: float = 4.0
    give_up_s: float = 30.0
    region: Region | None = None

    def __post_init__(self) -> None:
        plain = self.label.strip() == self.label and self.label.isprintable() and not self.label.startswith(".")
        if not self.label or not plain or "/" in self.label or "\\" in self.label:
            raise UsageError(
                f"`label` is {self.label!r}, expected a valid directory name: no slashes, no leading dot, "
                "no leading or trailing blanks."
            )
        if self.every_s is not None and not 0 <= self.every_s < math.inf:
            raise UsageError(f"`every_s` is {self.every_s:g}, expected seconds of at least 0.")
        if self.max_images is not None and self.max_images < 1:
            raise UsageError(f"`max_images` is {self.max_images}, expected at least 1.")
        for name, value in (("min_sharpness", self.min_sharpness), ("min_change", self.min_change)):
            if not math.isfinite(value):
                raise UsageError(f"`{name}` is {value:g}, expected a number such as 4.")
        if not 0 < self.max_mb < math.inf:
            raise UsageError(f"`max_mb` is {self.max_mb:g}, expected a number above 0.")


@dataclass(frozen=True)
class Kept:
    """An image that was written, and how many this run has written so far."""

    file: Path
    sharpness: float
    num_kept: int


@dataclass(frozen=True)
class Summary:
    """What became of the frames looked at, and why the run ended."""

    num_kept: int
    num_blurred: int
    num_alike: int
    reason: str


class Collector:
    """Judges frames and writes the good ones into ``config.folder``/``config.label``."""

    def __init__(self, config: CollectConfig) -> None:
        self.config, self.folder = config, config.folder / config.label
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            sizes = [entry.stat().st_size for entry in os.scandir(self.folder) if entry.is_file()]
        except OSError as error:
            raise OutputError(
                f"Images cannot be saved in {self.folder} ({error.strerror}); choose a writable `folder`."
            ) from error
        self._num_bytes = sum(sizes)
        self._number = 0
        # Includes what earlier runs kept: a second visit to the same scene adds nothing.
        earlier = [path for path in sorted(self.folder.glob("[0-9]*.jpg")) if path.is_file()][-NUM_REMEMBERED:]
        self._thumbnails: deque[NDArray[np.float32]] = deque(maxlen=NUM_REMEMBERED)
        for path in earlier:
            with contextlib.suppress(DataError, MissingInputError):  # somebody else's, or damaged
                self._thumbnails.append(_thumbnail(decode_shrunk(read_image_bytes(path), str(path), _SMALL)))
        self.num_kept = self.num_blurred = self.num_alike = 0
        self.refusal = ""

    @property
    def full(self) -> bool:
        """Whether the folder has reached its limit."""
        return self._num_bytes >= self.config.max_mb * 1e6

    def offer(self, pixels: Image) -> Kept | None:
        """Writes the (h, w, 3) uint8 BGR frame, or says in ``refusal`` why not.

        Raises:
            OutputError: the folder is no longer writable.
        """
        pixels = cut_region(pixels, self.config.region)
        sharp, thumbnail = measure_sharpness(pixels), _thumbnail(pixels)
        if sharp < self.config.min_sharpness:
            self.num_blurred += 1
            self.refusal = (
                f"blurred, or nothing to see: sharpness {sharp:.0f}, expected {self.config.min_sharpness:g} "
                "(`min_sharpness`)"
            )
            return None
        change = min((float(np.abs(thumbnail - known).mean()) for known in self._thumbnails), default=np.inf)
        if change < self.config.min_change:
            self.num_alike += 1
            self.refusal = (
                f"like one that was kept: change {change:.1f}, expected {self.config.min_change:g} (`min_change`); "
                "move it"
            )
            return None
        file = self._write(pixels)
        self._thumbnails.append(thumbnail)
        self.num_kept += 1
        return Kept(file, sharp, self.num_kept)

    def _write(self, pixels: Image) -> Path:
        content = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
        content = mark_region(content, self.config.region)
        temporary = self.folder / f".collect-{os.getpid()}.part"
        try:
            temporary.write_bytes(content)
            while True:
                self._number += 1
                file = self.folder / f"{self._number:05d}.jpg"
                try:
                    # Reserves the name, so that the rename never replaces an image; memory cards have no hard links.
                    os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o644))
                except FileExistsError:
                    continue
                os.replace(temporary, file)
                break
        except OSError as error:
            raise OutputError(
                f"Images cannot be saved in {self.folder} ({error.strerror}); free space, or choose another `folder`."
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
        self._num_bytes += len(content)
        return file


def collect(
    collector: Collector,
    source: FrameSource,
    tell: Callable[[Kept | str], None],
    is_asked: Callable[[], bool] = lambda: True,
    should_stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = monotonic_s,
) -> Summary:
    """Runs until the camera ends, enough is kept or ``should_stop``; ``tell`` gets each kept image and each refusal.

    ``is_asked`` is asked before each frame when the configuration has no time between images.

    Raises:
        CameraError: the camera gave no frame for ``give_up_s``.
    """
    config = collector.config
    last_s, seen_s = -math.inf, clock()
    reason = "stopped"
    while not should_stop():
        if config.max_images is not None and collector.num_kept >= config.max_images:
            reason = f"{config.max_images} images are kept"
            break
        if collector.full:
            reason = f"{collector.folder} holds {config.max_mb:g} MB, its limit (`max_mb`)"
            break
        frame = source.read(POLL_S)
        now_s = clock()
        if frame is None:
            if source.ended:
                reason = "the camera has no more images"
                break
            if now_s - seen_s > config.give_up_s:
                trouble = source.trouble or describe_silence(source.name)
                raise CameraError(f"No frame within {config.give_up_s:g} s: {trouble}")
            continue
        seen_s = now_s
        at_s = _place_in_time(frame, source, now_s)
        if config.every_s is None:
            is_due = is_asked()
        else:  # images without a time are all due
            is_due = at_s is None or at_s - last_s >= config.every_s - STAMPS_DIFFER_S
        if not is_due:
            continue
        kept = collector.offer(frame.pixels)
        # A refused frame costs no time: the next good one is taken as soon as it comes.
        last_s = last_s if kept is None or at_s is None else at_s
        tell(collector.refusal if kept is None else kept)
    return Summary(collector.num_kept, collector.num_blurred, collector.num_alike, reason)


def _place_in_time(frame: Frame, source: FrameSource, now_s: float) -> float | None:
    """When the frame was taken, on the clock that applies to this camera, None where it has none."""
    return now_s if source.live else frame.position_s


def measure_sharpness(pixels: Image) -> float:
    """The variance of the Laplacian of a (h, w, 3) uint8 BGR frame shrunk to 320 pixels; 100 is sharp, 10 is not."""
    scale = min(1.0, SHARPNESS_SIDE / max(pixels.shape[:2]))
    size_wh = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    grey = cv2.cvtColor(cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def _thumbnail(pixels: Image) -> NDArray[np.float32]:
    small = cv2.resize(pixels, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    return cast(NDArray[np.float32], cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32))
