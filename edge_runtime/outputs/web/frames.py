"""The newest image for all viewers: encoded once, in a separate thread, and only while somebody is looking.

An image is handed out only while the camera is believed, so that an old one is never shown as live.
"""

from __future__ import annotations

import base64
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge_runtime.cameras.frame import Frame
from edge_runtime.contract import InputSpec, Region
from edge_runtime.inference.classifier import Classifier
from edge_runtime.live.live_state import NUM_CHANGES, LiveState
from edge_runtime.live.results import Pulse, Result
from edge_runtime.pixels.heat import find_heat_box
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image, find_crop_box
from edge_runtime.pixels.region import cut_region
from edge_runtime.system.clock import monotonic_s

MAX_VIEWERS = 4
MAX_SIDE = 960
QUALITY, THUMB_QUALITY = 80, 70
THUMB_WH = (128, 96)
SPACING_S = 0.03
VALID_S = 1.0


@dataclass(frozen=True)
class EncodedFrame:
    """An encoded frame. ``crop`` is the region that the model sees: left, top, width, height as fractions.

    ``heat`` says where the model looked for the frame's best class, empty where that is unknown: columns, rows, the
    position of the whole map (like ``crop``), and one byte per cell in base64, 255 where most spoke for the class.
    """

    number: int
    seq: int
    captured_s: float
    width: int
    height: int
    crop: tuple[float, float, float, float]
    heat: str
    jpeg: bytes


@dataclass(frozen=True, eq=False)
class _Raw:
    pixels: Image
    seq: int
    captured_s: float
    crop: tuple[float, float, float, float]
    heat: str


class FrameEncoder:
    """An `Observer`. Viewers `join` and `leave`; ``on_new`` is called from the encoder's thread after every image."""

    def __init__(self, live: LiveState, on_new: Callable[[], None], clock: Callable[[], float] = monotonic_s) -> None:
        self._live, self._on_new, self._clock = live, on_new, clock
        self._changed = threading.Condition()
        self._num_viewers = self._num_waiting = 0
        self._raw: _Raw | None = None
        self._thumb: tuple[int, Image] | None = None
        self._thumbs: OrderedDict[int, bytes] = OrderedDict()
        self._newest: EncodedFrame | None = None
        self._num_encoded = self._last_change = 0
        self._classifier: Classifier | None = None
        self._input: InputSpec | None = None
        self._region: Region | None = None
        self._is_shown, self._valid_s, self._last_seq = True, VALID_S, -1
        self.closed = False
        self._thread = threading.Thread(target=self._run, name="images", daemon=True)
        self._thread.start()

    # The loop's side.

    def model(self, classifier: Classifier) -> None:
        self._classifier, self._input, self._region = classifier, classifier.input_spec, classifier.region

    def frame(self, frame: Frame, result: Result | None) -> None:
        self._last_seq = frame.seq
        changed = self._live.num_changes != self._last_change
        wanted = self._is_shown and (self._num_viewers or self._num_waiting)
        if not changed and not wanted:
            return
        pixels = frame.pixels
        height, width = pixels.shape[:2]
        raw = thumb = None
        if wanted:
            raw = _Raw(
                pixels.copy(), frame.seq, frame.captured_s, self._crop(height, width), self._heat(height, width, result)
            )
        if changed:
            self._last_change = self._live.num_changes
            seen = cut_region(pixels, self._region)
            step = max(1, min(seen.shape[1] // THUMB_WH[0], seen.shape[0] // THUMB_WH[1]))
            thumb = self._last_change, seen[::step, ::step].copy()
        with self._changed:
            self._raw, self._thumb = raw or self._raw, thumb or self._thumb
            self._changed.notify()

    def pulse(self, pulse: Pulse) -> None:
        self._is_shown = pulse.state.is_live
        # When a camera skips frames on purpose, the newest one that was looked at stays current for longer.
        self._valid_s = max(VALID_S, pulse.label_valid_s) if pulse.rests else VALID_S

    def wants_look(self) -> bool:
        """Whether somebody is looking and has no image yet that may be called live, although the camera is live."""
        return self._is_shown and bool(self._num_viewers or self._num_waiting) and self.newest() is None

    def _crop(self, height: int, width: int) -> tuple[float, float, float, float]:
        if self._input is None:
            return 0.0, 0.0, 1.0, 1.0
        top, left, crop_height, crop_width = find_crop_box(height, width, self._input)
        return left / width, top / height, crop_width / width, crop_height / height

    def _heat(self, height: int, width: int, result: Result | None) -> str:
        if result is None or self._classifier is None or not self._classifier.has_maps:
            return ""
        shares = self._classifier.last_map(result.prediction.index).shares()
        box = find_heat_box(height, width, self._classifier.input_spec)
        place = ",".join(f"{value:.4f}" for value in box)
        cells = base64.b64encode(np.rint(shares * 255).astype(np.uint8).tobytes()).decode()
        return f"{shares.shape[1]},{shares.shape[0]},{place},{cells}"

    # The viewers' side.

    @property
    def num_viewers(self) -> int:
        """How many places are taken."""
        return self._num_viewers

    def join(self) -> bool:
        """Takes one of the places; false when all are taken."""
        with self._changed:
            if self._num_viewers >= MAX_VIEWERS:
                return False
            self._num_viewers += 1
            return True

    def leave(self) -> None:
        """Gives up the place."""
        with self._changed:
            self._num_viewers -= 1

    def ask(self, waiting: bool) -> None:
        """Notes that somebody is waiting for one image (true), or has received it or given up (false)."""
        with self._changed:
            self._num_waiting += 1 if waiting else -1

    def newest(self) -> EncodedFrame | None:
        """The newest image, or None when there is none that may be called live."""
        image = self._newest
        if image is None or not self._is_shown:
            return None
        age_s, is_last = self._clock() - image.captured_s, image.seq == self._last_seq
        return image if age_s <= (self._valid_s if is_last else VALID_S) else None

    @property
    def rests(self) -> bool:
        """Whether the newest image is still current although no newer frame was looked at."""
        image = self.newest()
        return image is not None and self._clock() - image.captured_s > VALID_S

    def thumb(self, number: int) -> bytes | None:
        """The small image of a label change, as the bytes of a JPEG."""
        return self._thumbs.get(number)

    def close(self) -> None:
        """Ends the thread and tells all viewers to go."""
        with self._changed:
            self.closed = True
            self._changed.notify()
        self._thread.join(5)
        self._on_new()

    # The encoder's thread.

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.closed or self._raw is not None or self._thumb is not None)
                if self.closed:
                    return
                raw, self._raw, thumb, self._thumb = self._raw, None, self._thumb, None
            if raw is not None:
                self._newest = self._encode(raw)
                self._on_new()
            if thumb is not None:
                number, pixels = thumb
                self._thumbs[number] = _jpeg(_within(pixels, *THUMB_WH), THUMB_QUALITY)
                while len(self._thumbs) > NUM_CHANGES:
                    self._thumbs.popitem(last=False)
            if raw is not None:
                time.sleep(max(0.0, SPACING_S - (self._clock() - raw.captured_s)))

    def _encode(self, raw: _Raw) -> EncodedFrame:
        pixels = _within(raw.pixels, MAX_SIDE, MAX_SIDE)
        self._num_encoded += 1
        height, width = pixels.shape[:2]
        return EncodedFrame(
            self._num_encoded, raw.seq, raw.captured_s, width, height, raw.crop, raw.heat, _jpeg(pixels, QUALITY)
        )


def _within(pixels: Image, width: int, height: int) -> Image:
    """``pixels``, made smaller if they do not fit, with their aspect ratio kept."""
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    if scale >= 1:
        return pixels
    size_wh = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    shrunk: Image = cv2.resize(pixels, size_wh, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    return shrunk


def _jpeg(pixels: Image, quality: int) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
