"""Many faults, one after the other in a seeded order, against one real run: it stays, recovers, and never lies.

CHAOS_S=1800 CHAOS_SEED=7 makes it as long and as different as wanted; the seed is printed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.system.memory import measure_pss_mb

SECONDS = float(os.environ.get("CHAOS_S", "60"))
SEED = int(os.environ.get("CHAOS_SEED", "0"))
FAULT_S, RECOVERY_S, QUIET_S, FRESH_S = (0.3, 3.0), 15.0, 3.0, 1.0
MAX_AGE_MS = 500


@dataclass
class Watched:
    """The lines of a run as they arrive, each with its time."""

    process: subprocess.Popen[str]
    labels: list[float] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def read(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            line = json.loads(text)
            self.lines.append(line)
            if line["type"] == "prediction":
                self.labels.append(time.monotonic())

    def children(self) -> list[int]:
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def signal_children(self, number: int) -> None:
        for pid in self.children():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def num_descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def num_threads(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/task"))


def faults(camera: Any, run: Watched) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """By name what begins each fault, and what ends it."""
    good, rng = camera.image, np.random.default_rng(SEED)
    large = cv2.imencode(".jpg", rng.integers(0, 256, (480, 640, 3), np.uint8))[1].tobytes()

    def truncated(number: int) -> bytes:
        whole: bytes = good(number)
        return whole[: len(whole) // 2] if number % 3 else rng.bytes(3000)

    def sends(image: Callable[[int], bytes]) -> Callable[[], None]:
        return lambda: setattr(camera, "image", image)

    mend = sends(good)
    return {
        "camera gone": (camera.stop, camera.start),
        "camera silent": (camera.stalled.set, camera.stalled.clear),
        "capture process killed": (lambda: run.signal_children(signal.SIGKILL), lambda: None),
        "capture process stopped": (lambda: run.signal_children(signal.SIGSTOP), lambda: None),
        "damaged images": (sends(truncated), mend),
        "pages instead of images": (sends(lambda number: b"<html>sorry</html>"), mend),
        "another resolution": (sends(lambda number: large if number % 2 else good(number)), mend),
        "black images": (sends(lambda number: BLACK), mend),
        "slower": (lambda: setattr(camera, "fps", 4.0), lambda: setattr(camera, "fps", 20.0)),
    }


BLACK = cv2.imencode(".jpg", np.zeros((240, 320, 3), np.uint8))[1].tobytes()


@pytest.mark.slow
def test_a_run_survives_chaos_and_labels_freshly_between_the_faults(network_camera: Any, toy_path: Path) -> None:
    print(f"CHAOS_SEED={SEED} CHAOS_S={SECONDS:g}")
    network_camera.fps = 20.0
    command = [
        sys.executable,
        "-m",
        "edge_runtime",
        "run",
        "--model",
        str(toy_path),
        "--camera",
        network_camera.address,
    ]
    command += ["--format", "jsonl", "--max-age-ms", str(MAX_AGE_MS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    run = Watched(process)
    reader = threading.Thread(target=run.read, daemon=True)
    reader.start()
    choose, done, fresh, asked = random.Random(SEED), [], 0, 0
    kinds = faults(network_camera, run)

    def until_label(deadline_s: float) -> bool:
        begun_s = time.monotonic()
        while time.monotonic() < begun_s + deadline_s:
            if run.labels and run.labels[-1] > begun_s:
                return True
            time.sleep(0.02)
        return False

    try:
        assert until_label(20)
        before = (measure_pss_mb(tuple(run.children())), run.num_descriptors(), run.num_threads())
        end_s = time.monotonic() + SECONDS
        order: list[str] = []
        while time.monotonic() < end_s:
            order = order or choose.sample(sorted(kinds), len(kinds))
            name = order.pop()
            begin, mend = kinds[name]
            begin()
            time.sleep(choose.uniform(*FAULT_S))
            mend()
            done.append(name)
            assert until_label(RECOVERY_S), f"no label within {RECOVERY_S} s after: {name}"
            quiet_s = time.monotonic() + QUIET_S
            while time.monotonic() < quiet_s:
                asked += 1
                fresh += time.monotonic() - run.labels[-1] < FRESH_S
                time.sleep(0.05)
        after = (measure_pss_mb(tuple(run.children())), run.num_descriptors(), run.num_threads())
        assert process.poll() is None, "the main process is another one"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        reader.join(5)
        assert process.stdout is not None
        process.stdout.close()
    assert fresh / asked >= 0.995, (fresh, asked, done)
    assert before[0] is not None and after[0] is not None and after[0] - before[0] < 5
    assert (after[1], after[2]) == (before[1], before[2])
    ages = [line["age_ms"] for line in run.lines if line["type"] == "prediction"]
    assert max(ages) <= MAX_AGE_MS
    (status,) = (line for line in run.lines if line["type"] == "status")
    assert status["captured"] == status["processed"] + status["dropped"] + status["in_flight"]
    assert status["restarts"] >= done.count("capture process killed") + done.count("capture process stopped")
    assert len(done) >= SECONDS / (FAULT_S[1] + RECOVERY_S + QUIET_S) - 1
