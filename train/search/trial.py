"""One trial of the search: time -> train -> convert -> verify, each the ordinary command line in its own process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
_EPOCH = re.compile(r"epoch (\d+)/\d+ .*train ([\d.]+)%")
TIMING_S = 2.0


@dataclass(frozen=True)
class TrialConfig:
    """What all trials share; networks must not be slower than the file ``like``; one trial may use ``cores``."""

    data: str
    data_path: Path | None
    epochs: int
    seed: int
    like: Path | None
    cores: int


class OutOfTime(Exception):
    """The search's time ended while the trial ran."""


class Hopeless(Exception):
    """The engine ended the trial: others were better after as many epochs."""


def time_untrained(folder: Path, model: str, size: int, num_classes: int, config: TrialConfig) -> dict[str, float]:
    """``latency_ms`` and ``time_ratio`` (to `TrialConfig.like`) of the network's int8 form; learning changes neither.

    Raises:
        DataError: the network cannot be built or timed.
    """
    path = folder / "untrained.keras"
    command = ["train.models", model, "--size", str(size), "--classes", str(num_classes), "--out", str(path)]
    process = _start(command, config, subprocess.DEVNULL)
    process.communicate()
    if process.returncode != 0:
        raise DataError(f"{model} cannot be built for an input of {size} pixels.")
    files = [file for file in (config.like, path) if file is not None]
    timed = time_files(files, config)[str(path)]
    path.unlink()
    return {name: timed[name] for name in ("latency_ms", "time_ratio")}


def train_trial(
    folder: Path,
    model: str,
    size: int,
    config: TrialConfig,
    report: Callable[[int, float], bool],
    deadline_s: float,
) -> Path:
    """Trains into ``folder/run``; ``report`` gets each epoch's training accuracy and says whether to continue.

    Under crops and flips, with few epochs, training accuracy ranks networks early; the validation accuracy of averaged
    weights says little before the rates have fallen.

    Raises:
        Hopeless, OutOfTime: it was ended.
        DataError: the training failed.
    """
    run = folder / "run"
    command = ["train", "--data", config.data, "--model", model, "--size", str(size), "--recipe", "modern"]
    command += ["--epochs", str(config.epochs), "--seed", str(config.seed), "--out", str(run), "--force"]
    if config.data_path is not None:
        command += ["--data-path", str(config.data_path)]
    with (folder / "train.log").open("w", buffering=1, encoding="utf-8") as log:
        process = _start(command, config, subprocess.PIPE)
        assert process.stderr is not None
        try:
            for line in process.stderr:
                log.write(line)
                found = _EPOCH.search(line)
                if time.time() > deadline_s:
                    raise OutOfTime
                if found and int(found[1]) < config.epochs and not report(int(found[1]), float(found[2]) / 100):
                    raise Hopeless
            if process.wait() != 0:
                raise DataError(f"Training failed, see {log.name}.")
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    return run


def convert_trial(run: Path, out: Path, config: TrialConfig) -> dict[str, Any]:
    """What ``python -m convert`` says about the verified int8 file at ``out``; "passed" False when its gate refused.

    Raises:
        DataError: the conversion failed.
    """
    process = _start(["convert", str(run), "--out", str(out), "--force", "--json"], config, subprocess.DEVNULL)
    text = process.communicate()[0]
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if process.returncode not in (0, 1) or not lines:
        raise DataError(f"The conversion of {run} failed with exit code {process.returncode}; run it by hand.")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def time_files(files: list[Path], config: TrialConfig, seconds: float = TIMING_S) -> dict[str, dict[str, float]]:
    """``bytes``, ``latency_ms`` (median) and ``time_ratio`` (to the first file) of each file on the preferred
    interpreter with one thread, by its path; the files take turns in one process.

    Raises:
        DataError: the measurement failed.
    """
    command = ["convert.measure.latency", *map(str, files), "--threads", "1", "--seconds", str(seconds), "--json"]
    process = _start(command, config, subprocess.DEVNULL)
    text = process.communicate()[0]
    if process.returncode != 0:
        raise DataError(f"Timing {len(files)} files failed with exit code {process.returncode}.")
    found = json.loads(text)
    first = found["timings"][0]["backend"]
    return {
        row["model"]: {
            "bytes": found["bytes"][row["model"]],
            "latency_ms": row["p50_ms"],
            "time_ratio": row["ratio"],
        }
        for row in found["timings"]
        if row["backend"] == first
    }


def _start(command: list[str], config: TrialConfig, stderr: int) -> subprocess.Popen[str]:
    limits = {"TF_NUM_INTRAOP_THREADS": str(config.cores), "TF_NUM_INTEROP_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, **limits},
        text=True,
        stdout=subprocess.PIPE if stderr == subprocess.DEVNULL else subprocess.DEVNULL,
        stderr=stderr,
    )
