"""Writes the run directory, the only thing that conversion gets from training; it is whole or it does not exist.

docs/architecture.md says what is in it. It is written under a temporary name beside its place and renamed at the end.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.contract import ModelSpec, to_json
from edge_runtime.errors import OutputError
from edge_runtime.metrics import ClassificationReport
from edge_runtime.system.durable import sync_folder
from train.datasets.dataset import ArraySplit, Dataset, FileSplit, Split, make_balanced_order
from train.recipes.config import TrainConfig, to_json_object
from train.training.result import TrainResult

MAX_CALIBRATION = 2_000
CALIBRATION_STREAM = 20


def write_run(
    out: Path, config: TrainConfig, dataset: Dataset, result: TrainResult, report: ClassificationReport
) -> None:
    """Writes everything into ``out``, replacing an existing run in one step.

    Raises:
        OSError: the file system is full or may not be written; an existing run is unchanged.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        spec = ModelSpec(config.name, dataset.labels, config.input, "logits")
        result.model.save(temporary / "model.keras")
        (temporary / "contract.json").write_text(to_json(spec), encoding="utf-8")
        _write_json(temporary / "config.json", _configuration(config, dataset))
        _write_json(temporary / "metrics.json", _metrics(dataset, result, report))
        _write_json(temporary / "images.json", _write_images(temporary, dataset, config.seed))
        if dataset.background is not None:
            held_out = [_background_entry(path) for path in dataset.background.held_out]
            _write_json(temporary / "background.json", held_out)
        if dataset.region is not None:
            (temporary / "region.json").write_text(to_json(dataset.region), encoding="utf-8")
        _sync_tree(temporary)
        _replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def keep_run(
    out: Path, config: TrainConfig, dataset: Dataset, result: TrainResult, report: ClassificationReport
) -> None:
    """As `write_run`; where ``out`` cannot be written, the run is kept in a temporary place.

    Raises:
        OutputError: the run is in a temporary folder, which the message names; or that could not be written either.
    """
    try:
        write_run(out, config, dataset, result, report)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        try:
            kept = Path(tempfile.mkdtemp(prefix="finished-run-")) / out.name
            write_run(kept, config, dataset, result, report)
        except (OSError, RuntimeError):
            raise OutputError(
                f"The run is finished, but neither {out} ({reason}) nor {tempfile.gettempdir()} can be written. The last "
                "checkpoint is kept: make room and give the same command with --resume."
            ) from error
        raise OutputError(
            f"The run is finished, but {out} cannot be written ({reason}). It is kept in {kept}: make room and move it."
        ) from error


def choose_calibration_indices(dataset: Dataset, seed: int) -> list[int]:
    """At most MAX_CALIBRATION training images, drawn with the seed, dealt out class by class, none a test image."""
    tested = {dataset.test.record(index).sha256 for index in range(len(dataset.test.labels))}
    order = make_balanced_order(dataset.train.labels, np.random.default_rng([seed, CALIBRATION_STREAM]))
    picked: list[int] = []
    for index in order.tolist():
        if len(picked) == MAX_CALIBRATION:
            break
        if dataset.train.record(index).sha256 not in tested:
            picked.append(index)
    return picked


def _configuration(config: TrainConfig, dataset: Dataset) -> dict[str, Any]:
    splits = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    facts = {"name": dataset.name, "citation": dataset.citation, **{key: len(s.labels) for key, s in splits.items()}}
    return {**to_json_object(config), "dataset": facts}


def _metrics(dataset: Dataset, result: TrainResult, report: ClassificationReport) -> dict[str, Any]:
    return {
        "labels": list(dataset.labels),
        "test": dataclasses.asdict(report),
        "best_epoch": result.best_epoch,
        "training_seconds": round(result.seconds, 1),
        "parameters": result.model.count_params(),
        "history": list(result.history),
        "data_warnings": [dataclasses.asdict(item) for item in dataset.checks.warnings] if dataset.checks else [],
        "class_counts": dataset.checks.counts if dataset.checks else {},
        **result.extra,
    }


def _write_images(folder: Path, dataset: Dataset, seed: int) -> dict[str, list[dict[str, Any]]]:
    chosen: dict[str, tuple[Split, Sequence[int]]] = {
        "calibration": (dataset.train, choose_calibration_indices(dataset, seed)),
        "test": (dataset.test, range(len(dataset.test.labels))),
    }
    if isinstance(dataset.validation, FileSplit):
        # Arrays would have to be copied once more; the named data sets of arrays have no use for a threshold.
        chosen["validation"] = (dataset.validation, range(len(dataset.validation.labels)))
    return {key: _write_list(folder, key, split, indices) for key, (split, indices) in chosen.items()}


def _background_entry(path: Path) -> dict[str, str]:
    """An image of the empty scene that was not used for training: its path and its hash."""
    return {"name": path.name, "file": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _write_list(folder: Path, key: str, split: Split, indices: Iterable[int]) -> list[dict[str, Any]]:
    records = [split.record(index) for index in indices]
    if isinstance(split, ArraySplit):
        (folder / "images").mkdir(exist_ok=True)
        np.save(folder / "images" / f"{key}.npy", split.images[list(indices)], allow_pickle=False)
    return [
        {
            "name": record.name,
            "label": record.label,
            "file": f"images/{key}.npy" if record.file is None else str(record.file),
            "row": row if record.file is None else None,
            "sha256": record.sha256,
        }
        for row, record in enumerate(records)
    ]


def _replace(temporary: Path, out: Path) -> None:
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    if out.exists():
        os.replace(out, old)
    os.replace(temporary, out)
    sync_folder(out.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync_tree(folder: Path) -> None:
    """Flushes every file below ``folder`` to the disk: the rename must not reach it before them."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("r+b") as file:  # Windows syncs only files that are open for writing
                os.fsync(file.fileno())
    for path in (folder, *sorted(folder.rglob("*"))):
        if path.is_dir():
            sync_folder(path)


def _write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    # The name of an image file need not be UTF-8: its odd bytes become JSON's own escapes, which give the name back.
    path.write_bytes(f"{text}\n".encode("utf-8", "backslashreplace"))
