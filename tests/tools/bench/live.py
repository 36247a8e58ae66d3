"""What `run` and `classify` cost as whole programs: start-up, a 30 fps camera, memory over 20,000 frames."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.system.memory import measure_pss_mb
from tests.tools.device.loopback_camera import stream

PROGRAM = (sys.executable, "-m", "edge_runtime")
IMPORTS = (sys.executable, "-c", "import cv2; import ai_edge_litert.interpreter")
FPS, NUM_STREAMED = 30, 300
NUM_STARTS, SAMPLE_EVERY = 15, 500


@dataclass(frozen=True)
class Figure:
    """One line of the table: what was measured, the figure in words, the aim in words, and the numbers behind it."""

    what: str
    measured: str
    aim: str
    numbers: dict[str, float]


def start_up(picture: Path) -> Figure:
    """Process start to the first label of an image file, compared with importing cv2 and LiteRT; the two take turns."""
    commands = {"imports": IMPORTS, "classify": (*PROGRAM, "classify", str(picture))}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(NUM_STARTS):
        for name, command in commands.items():
            started_s = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True)
            seconds[name].append(time.perf_counter() - started_s)
    imports, classify = (statistics.median(seconds[name]) for name in ("imports", "classify"))
    return Figure(
        "process start to first label from a file, against importing cv2 and LiteRT",
        f"{classify / imports:.2f} x ({1000 * classify:.0f} of {1000 * imports:.0f} ms)",
        "1.5 x",
        {"imports_s": imports, "classify_s": classify},
    )


def network_camera() -> Figure:
    """`run` on a 30 fps 1280x720 MJPEG stream on loopback."""
    with stream(1280, 720, FPS) as address:
        lines = _run("--camera", address, "--frames", str(NUM_STREAMED))
    status = next(line for line in reversed(lines) if line["type"] == "status")
    times = [line["ts"] for line in lines if line["type"] == "prediction"]
    fps = (len(times) - 1) / (times[-1] - times[0])
    return Figure(
        f"`run` on a {FPS} fps 1280x720 MJPEG stream, {NUM_STREAMED} frames",
        f"{fps:.1f} labels per second, {status['dropped']} dropped, age p95 {status['age_ms']['p95']:.1f} ms",
        "30, none, 40 ms",
        {"fps": fps, "dropped": status["dropped"], "age_p95_ms": status["age_ms"]["p95"]},
    )


def memory(num_frames: int) -> Figure:
    """Proportional set size of all processes of `run` on 640x480 frames, and its slope after the first tenth."""
    arguments = ("--camera", "synthetic:640x480@300", "--frames", str(num_frames), "--format", "jsonl")
    command = [*PROGRAM, "run", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    frames, megabytes = [], []
    for number, _ in enumerate(process.stdout, start=1):
        if number % SAMPLE_EVERY == 0 and (found := _tree_mb(process.pid)) > 0:
            frames.append(number)
            megabytes.append(found)
    if process.wait():
        raise SystemExit(f"edge-runtime run ended with {process.returncode}")
    settled = len(frames) // 10
    slope = float(np.polyfit(frames[settled:], megabytes[settled:], 1)[0]) * 1000
    return Figure(
        f"memory of `run`, all processes, {num_frames:,} frames of 640x480",
        f"at most {max(megabytes):.1f} MB, {slope:+.3f} MB per 1,000 frames",
        "130 MB, under 0.5 MB",
        {"peak_mb": max(megabytes), "slope_mb_per_1000": slope},
    )


def _tree_mb(pid: int) -> float:
    """10^6 bytes of the process and all that it started; 0 when it has ended."""
    pids = [pid]
    for known in pids:
        with contextlib.suppress(OSError):
            pids += map(int, Path(f"/proc/{known}/task/{known}/children").read_text().split())
    return (measure_pss_mb(pids) or 0.0) - (measure_pss_mb() or 0.0)


def to_markdown(figures: tuple[Figure, ...]) -> str:
    """The figures as the last part of the page."""
    lines = ["### Whole programs", "", "| what | measured | aim |", "|---|---|---|"]
    lines += [f"| {figure.what} | {figure.measured} | {figure.aim} |" for figure in figures]
    return "\n".join([*lines, ""])


def _run(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [*PROGRAM, "run", *arguments, "--format", "jsonl"], capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]
