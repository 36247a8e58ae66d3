"""Runs contenders side by side: one process each, taking turns in short rounds, so that noise affects all of them alike."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[3]
WORKERS = Path(__file__).with_name("workers")


@dataclass(frozen=True)
class Contender:
    """``python`` runs ``worker`` (a file of workers/) on ``job``; ``name`` is what the table says."""

    name: str
    python: Path
    worker: str
    job: dict[str, Any]


@dataclass(frozen=True)
class Timing:
    """Microseconds per frame; ``failure`` instead when the contender cannot do it, in its own last words."""

    name: str
    p50_us: float
    p95_us: float
    num_frames: int
    failure: str = ""


def race(contenders: Sequence[Contender], rounds: int, frames: int) -> tuple[Timing, ...]:
    """One Timing per contender, from ``rounds`` x ``frames`` frames each; every round starts with another contender."""
    processes = [_start(contender) for contender in contenders]
    durations: list[list[float]] = [[] for _ in contenders]
    alive = set(range(len(contenders)))
    for turn in range(rounds):
        for place in range(len(contenders)):
            number = (turn + place) % len(contenders)
            if number not in alive:
                continue
            answer = _ask(processes[number], frames)
            if answer is None:
                alive.discard(number)
            else:
                durations[number] += answer
    return tuple(_finish(*entry) for entry in zip(contenders, processes, durations, strict=True))


def _start(contender: Contender) -> subprocess.Popen[str]:
    # A library's own threads would give one contender more than one core.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [str(contender.python), str(WORKERS / f"{contender.worker}.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(contender.job) + "\n")
    process.stdin.flush()
    return process


def _ask(process: subprocess.Popen[str], frames: int) -> list[float] | None:
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(f"{frames}\n")
        process.stdin.flush()
    except BrokenPipeError:
        return None
    answer = process.stdout.readline()
    return json.loads(answer) if answer else None


def _finish(contender: Contender, process: subprocess.Popen[str], durations: list[float]) -> Timing:
    _, errors = process.communicate()
    if process.returncode or not durations:
        words = (errors.strip().splitlines() or ["it gave no answer"])[-1]
        return Timing(contender.name, float("nan"), float("nan"), 0, words[:160])
    p50, p95 = np.percentile(durations, (50, 95))
    return Timing(contender.name, float(p50), float(p95), len(durations))
