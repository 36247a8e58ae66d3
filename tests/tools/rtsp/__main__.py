"""Counts the frames of an RTSP camera that count as fresh after the capture process was stopped, but are not.

``python -m tests.tools.rtsp [--stops 100] [--codec h264] [--size 1280x720] [--fps 30] [--seed 1]``
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time

import numpy as np

from edge_runtime.cameras.address import parse_camera
from edge_runtime.cameras.capture.parent import Capture, CaptureConfig
from edge_runtime.cameras.frame import Frame
from edge_runtime.cameras.sources.synthetic import read_image_number
from tests.tools.rtsp.pictures import H264, NUM_IMAGES, draw_h264, draw_jpeg
from tests.tools.rtsp.server import RtspCamera

LIMIT_S = 0.5
BETWEEN_S = (3.0, 5.0)
STOPPED_S = (1.0, 3.0)


class Ages:
    """The ages that frames report, and their true ages by the number in them."""

    def __init__(self, camera: RtspCamera) -> None:
        self._camera = camera
        self.stated_s: list[float] = []
        self.true_s: list[float] = []

    def add(self, frame: Frame, now_s: float) -> None:
        number = read_image_number(frame.pixels) % NUM_IMAGES
        sent_s = dict(self._camera.sent_s)
        newest = max(sent_s)
        newest -= (newest - number) % NUM_IMAGES
        if newest in sent_s:
            self.stated_s.append(now_s - frame.captured_s)
            self.true_s.append(now_s - sent_s[newest])


def stop_and_go(capture: Capture, num_stops: int, rng: np.random.Generator, ended: threading.Event) -> None:
    """Stops the capture process ``num_stops`` times for 1 to 3 s, with 3 to 5 s between."""
    for _ in range(num_stops):
        ended.wait(rng.uniform(*BETWEEN_S))
        for pid in capture.pids:
            os.kill(pid, signal.SIGSTOP)
            ended.wait(rng.uniform(*STOPPED_S))
            os.kill(pid, signal.SIGCONT)
    ended.wait(BETWEEN_S[1])
    ended.set()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stops", type=int, default=100)
    parser.add_argument("--codec", choices=["h264", "jpeg"], default="h264")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    width, height = (int(side) for side in chosen.size.split("x"))
    is_h264 = chosen.codec == "h264"
    payloads = (draw_h264 if is_h264 else draw_jpeg)(width, height)
    # So that no stop is mistaken for a camera that has died.
    config, ended = CaptureConfig(silent_s=30.0), threading.Event()
    with (
        RtspCamera(payloads, chosen.fps, **(H264 if is_h264 else {})) as camera,
        Capture(parse_camera(camera.address), config=config) as capture,
    ):
        ages, rng = Ages(camera), np.random.default_rng(chosen.seed)
        while capture.read(1.0) is None:
            pass
        thread = threading.Thread(target=stop_and_go, args=(capture, chosen.stops, rng, ended), daemon=True)
        thread.start()
        while not ended.is_set():
            frame = capture.read(0.5)
            if frame is not None:
                ages.add(frame, time.monotonic())
        thread.join()
        restarts = capture.counts().restarts
    stated_s, true_s = np.array(ages.stated_s), np.array(ages.true_s)
    is_fresh = stated_s <= LIMIT_S
    print(
        f"{chosen.stops} stops, {restarts} restarts, {len(true_s)} frames, {is_fresh.sum()} called at most "
        f"{LIMIT_S:g} s old, {(true_s[is_fresh] > LIMIT_S).sum()} of them older, the oldest "
        f"{true_s[is_fresh].max() * 1e3:.0f} ms; {((true_s <= LIMIT_S) & ~is_fresh).sum()} fresh ones called older; "
        f"stated less true age: median {np.median(stated_s - true_s) * 1e3:.0f} ms, 1 % below "
        f"{np.quantile(stated_s - true_s, 0.01) * 1e3:.0f} ms, 1 % above "
        f"{np.quantile(stated_s - true_s, 0.99) * 1e3:.0f} ms"
    )


if __name__ == "__main__":
    main()
