"""Keeps frames worth looking at later: those that the model was unsure of, and those at which the label changed.

The loop only copies a frame now and then; encoding and writing happen in a thread, and a slow or full disk costs
images, never labels.
"""

from __future__ import annotations

import contextlib
import errno
import math
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from edge_runtime.cameras.frame import Frame
from edge_runtime.contract import Region
from edge_runtime.errors import OutputError, UsageError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.postprocess import Prediction
from edge_runtime.live.label_changes import LabelChanges
from edge_runtime.live.results import Event, Pulse, Result
from edge_runtime.outputs.heat_svg import Looked, make_heat_svg
from edge_runtime.outputs.image_folder import KEEP_FREE_BYTES, ImageFolder
from edge_runtime.outputs.jsonl import make_result_object
from edge_runtime.outputs.trouble import OutputTrouble
from edge_runtime.pixels.jpeg_region import mark_region
from edge_runtime.pixels.opencv import cv2
from edge_runtime.pixels.preprocess import Image
from edge_runtime.pixels.region import cut_region
from edge_runtime.system.clock import monotonic_s
from edge_runtime.system.json_line import to_json_line

QUALITY = 95
UNSURE_BELOW = 0.6
UNCERTAIN_EVERY_S = 1.0
QUEUE_LENGTH = 4
RETRY_S = 10.0


@dataclass(frozen=True)
class RecorderConfig:
    """``reasons`` are "uncertain" (unknown, or the best class below 0.6, at most one a second), "change", and
    "difference" (a candidate gives another label, at most one a second).
    """

    folder: Path
    reasons: tuple[str, ...]
    save_limit_mb: float = 500.0
    keep_free_bytes: int = KEEP_FREE_BYTES

    def __post_init__(self) -> None:
        if not 1 <= self.save_limit_mb < math.inf:
            raise UsageError(f"`save_limit_mb` is {self.save_limit_mb:g}, expected a number of at least 1.")


@dataclass(frozen=True, eq=False)
class _Record:
    pixels: Image
    result: Result
    reason: str
    region: Region | None
    looked: Looked | None
    other: dict[str, Any] | None = None


class Recorder:
    """An `Observer` that saves frames (or the region looked at) in full size as JPEG with a line of JSON each, and,
    where the classifier has maps, an SVG of where the model looked for its best class; `take_events` reports a full
    disk.

    A ``patient`` one treats a folder that cannot be made like a full disk: it reports this and tries again. Others
    raise OutputError.
    """

    def __init__(
        self, config: RecorderConfig, clock: Callable[[], float] = monotonic_s, *, patient: bool = False
    ) -> None:
        self._config, self._clock = config, clock
        self._trouble = OutputTrouble("recorder", clock)
        self._folder: ImageFolder | None = None
        try:
            self._folder = self._open()
        except OutputError as error:
            if not patient:
                raise
            self._trouble.failed(str(error))
        self._queue: queue.Queue[_Record | None] = queue.Queue(QUEUE_LENGTH)
        self._is_change = LabelChanges()
        self._uncertain_s: float | None = None
        self._difference_s: float | None = None
        self._model = self._version = ""
        self._region: Region | None = None
        self._classifier: Classifier | None = None
        self._retry_s: float | None = None
        self.num_saved = self.num_lost = 0
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def model(self, classifier: Classifier) -> None:
        self._model, self._version = classifier.contract.spec.name, classifier.contract.parts.get("model", "")
        self._region, self._classifier = classifier.region, classifier

    def frame(self, frame: Frame, result: Result | None) -> None:
        reason = self._reason(result) if result is not None else ""
        if not reason or result is None:
            return
        if self._queue.full():
            self.num_lost += 1
            return
        pixels = cut_region(frame.pixels, self._region).copy()
        with contextlib.suppress(queue.Full):  # a difference may have taken the place in between
            self._queue.put_nowait(_Record(pixels, result, reason, self._region, self._look(result)))

    def keep_difference(self, pixels: Image, result: Result, name: str, other: Prediction) -> None:
        """Saves the frame with both answers; may be called from a different thread than the other methods."""
        now_s = self._clock()
        if self._difference_s is not None and now_s - self._difference_s < UNCERTAIN_EVERY_S:
            return
        self._difference_s = now_s
        top = [{"label": entry.label, "score": round(entry.score, 6)} for entry in other.top]
        answer = {"model": name, "label": other.label, "score": round(other.score, 6), "top": top}
        if other.unknown:
            answer["reason"] = other.reason
        cut = cut_region(pixels, self._region).copy()
        try:
            self._queue.put_nowait(_Record(cut, result, "difference", self._region, None, answer))
        except queue.Full:
            self.num_lost += 1

    def _look(self, result: Result) -> Looked | None:
        if self._classifier is None or not self._classifier.has_maps:
            return None
        found = self._classifier.last_map(result.prediction.index)
        return Looked(found.shares(), self._classifier.contract.spec.input)  # the saved image is cropped already

    def pulse(self, pulse: Pulse) -> None:
        """Nothing to do: a record needs a label."""

    def take_events(self) -> list[Event]:
        return self._trouble.take_events()

    def close(self) -> None:
        """Saves what is waiting, for at most 2 s."""
        try:
            self._queue.put(None, timeout=1.0)
        except queue.Full:
            return
        self._thread.join(2.0)

    def _reason(self, result: Result) -> str:
        now_s = self._clock()
        # Always called, so that the label before a change is known.
        changed = self._is_change.add(result.shown, now_s)
        if changed and "change" in self._config.reasons:
            return "change"
        if "uncertain" not in self._config.reasons:
            return ""
        unsure = result.prediction.unknown or result.prediction.score < UNSURE_BELOW
        if unsure and (self._uncertain_s is None or now_s - self._uncertain_s >= UNCERTAIN_EVERY_S):
            self._uncertain_s = now_s
            return "uncertain"
        return ""

    def _run(self) -> None:
        while True:
            record = self._queue.get()
            if record is None:
                return
            if self._retry_s is not None and self._clock() < self._retry_s:
                self.num_lost += 1
                continue
            try:
                self._save(record)
            except OSError as error:
                self.num_lost += 1
                self._retry_s = self._clock() + RETRY_S
                self._trouble.failed(
                    f"images cannot be saved in {self._config.folder} ({error.strerror or error}); free or remount "
                    "the disk"
                )
            else:
                self.num_saved += 1
                self._retry_s = None
                self._trouble.worked(f"images are saved in {self._config.folder} again")

    def _open(self) -> ImageFolder:
        return ImageFolder(self._config.folder, int(self._config.save_limit_mb * 1e6), self._config.keep_free_bytes)

    def _save(self, record: _Record) -> None:
        result = record.result
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=round(result.ts * 1e3))
        name = f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z-{result.seq:08d}"
        line = {
            **make_result_object(result),
            "type": "record",
            "file": f"{name}.jpg",
            "reason": record.reason,
            "model": self._model,
            "model_sha256": self._version,
            "size": [record.pixels.shape[1], record.pixels.shape[0]],
            **({"region": str(record.region)} if record.region is not None else {}),
            **({"candidate": record.other} if record.other is not None else {}),
        }
        coded, jpeg = cv2.imencode(".jpg", record.pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not coded:
            height, width = record.pixels.shape[:2]
            raise OSError(errno.EFBIG, f"an image of {width}x{height} cannot be coded as JPEG")
        if self._folder is None:
            self._folder = self._open()
        height, width = record.pixels.shape[:2]
        svg = make_heat_svg(record.looked, f"{name}.jpg", width, height) if record.looked is not None else ""
        self._folder.save(name, mark_region(jpeg.tobytes(), record.region), to_json_line(line) + "\n", svg)
