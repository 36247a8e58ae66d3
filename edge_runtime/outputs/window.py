"""The live picture in a window of this machine's desktop, where the OpenCV build can open one.

Windows belong to the thread of the loop, so drawing is kept to a few milliseconds and to 30 pictures a second.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import cv2

from edge_runtime.cameras.frame import Frame
from edge_runtime.contract import InputSpec
from edge_runtime.errors import ConfigurationError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.live.results import Pulse, Result
from edge_runtime.pixels.preprocess import Image, crop_box
from edge_runtime.system.clock import monotonic_s

TITLE = "edge-runtime (q closes)"
SPACING_S = 1 / 31
BELIEVED = ("ok", "degraded")
WHITE, SHADE, FRAME = (255, 255, 255), (0, 0, 0), (74, 213, 255)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def check_window(environ: Mapping[str, str] = os.environ, build: str | None = None) -> None:
    """Raises ConfigurationError when no window can be opened; ``build`` is OpenCV's build information."""
    found = re.search(r"^\s*GUI:\s*(\S+)", cv2.getBuildInformation() if build is None else build, re.MULTILINE)
    if found is None or found.group(1).upper() == "NONE":
        raise ConfigurationError(
            "This OpenCV cannot open windows (opencv-python-headless). Use --web and a browser, or replace it: "
            "pip uninstall opencv-python-headless && pip install opencv-python"
        )
    if not environ.get("DISPLAY") and not environ.get("WAYLAND_DISPLAY"):
        raise ConfigurationError(
            "There is no display: neither DISPLAY nor WAYLAND_DISPLAY is set. Start this in a desktop session, or use "
            "--web and a browser on another machine."
        )


class Window:
    """An `Observer`; ``closed`` becomes true when the viewer presses q or Escape or closes the window."""

    def __init__(self, gui: Any = cv2, clock: Callable[[], float] = monotonic_s) -> None:
        self._gui, self._clock = gui, clock
        self._input: InputSpec | None = None
        self._drawn_s = -1e9
        self._last: Image | None = None
        self._trouble = "starting"
        self._is_open = False
        self.closed = False

    def model(self, classifier: Classifier) -> None:
        self._input = classifier.contract.spec.input

    def frame(self, frame: Frame, result: Result | None) -> None:
        if result is None or self._clock() - self._drawn_s < SPACING_S:
            return
        self._last, self._trouble = frame.pixels.copy(), ""
        self._show(drawn(self._last.copy(), result, self._input))

    def pulse(self, pulse: Pulse) -> None:
        trouble = "" if pulse.state in BELIEVED else f"{pulse.state}: {pulse.reason}"
        if trouble and self._last is not None:
            self._show(darkened(self._last.copy(), trouble))
        self._trouble = trouble

    def close(self) -> None:
        """Closes the window; allowed more than once."""
        if self._is_open:
            self._gui.destroyAllWindows()
            self._is_open = False

    def _show(self, picture: Image) -> None:
        if self.closed:
            return
        self._drawn_s = self._clock()
        if not self._is_open:
            self._gui.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            self._gui.resizeWindow(TITLE, max(320, picture.shape[1]), max(240, picture.shape[0]))
            self._is_open = True
        self._gui.imshow(TITLE, picture)
        key = self._gui.waitKey(1) & 0xFF
        if key in (ord("q"), 27) or self._gui.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            self.closed = True


def drawn(picture: Image, result: Result, spec: InputSpec | None) -> Image:
    """``picture`` (h, w, 3) uint8 BGR with the model's region, the label, its bars and the frame's age drawn on it."""
    height, width = picture.shape[:2]
    if spec is not None:
        top, left, box_height, box_width = crop_box(height, width, spec)
        cv2.rectangle(picture, (left, top), (left + box_width - 1, top + box_height - 1), FRAME, max(1, width // 320))
    scale = max(0.35, width / 900)
    line = round(34 * scale)
    _write(picture, result.shown or "undecided", (round(12 * scale), round(1.4 * line)), 1.6 * scale)
    for row, entry in enumerate(result.prediction.top):
        base = round(2.4 * line) + row * line
        length = round(entry.score * 0.3 * width)
        cv2.rectangle(picture, (round(12 * scale), base - line // 2), (round(12 * scale) + length, base), FRAME, -1)
        _write(picture, f"{entry.label} {100 * entry.score:.0f}%", (round(0.32 * width), base), 0.7 * scale)
    _write(picture, f"{result.age_ms:.0f} ms old", (round(12 * scale), height - line // 2), 0.7 * scale)
    return picture


def darkened(picture: Image, reason: str) -> Image:
    """``picture`` nearly black with ``reason`` on it, so that nobody takes it for live."""
    picture //= 4
    scale = max(0.35, picture.shape[1] / 900)
    for row, text in enumerate(re.findall(r".{1,48}(?:\s|$)|\S{1,48}", reason)):
        _write(picture, text, (round(12 * scale), round((60 + 40 * row) * scale)), 0.9 * scale)
    return picture


def _write(picture: Image, text: str, origin: tuple[int, int], scale: float) -> None:
    thick = max(1, round(2 * scale))
    for colour, width in ((SHADE, thick + 3), (WHITE, thick)):
        cv2.putText(picture, text, origin, FONT, scale, colour, width, cv2.LINE_AA)
