"""Reads the run directory that `train` wrote, the only link between the two packages, and checks all of it before any
work.

The format is described in docs/architecture.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from convert.inputs.keras_model import KerasFile
from convert.inputs.source import ImageEntry, Source, escape_name
from edge_runtime.contract import Region, region_from_json, spec_from_json
from edge_runtime.errors import DataError, MissingInputError

FILES = ("model.keras", "contract.json", "config.json", "metrics.json", "images.json")
_SCENE_KEYS = {"name", "file", "sha256"}
_ENTRY_KEYS = {"name", "label", "file", "row", "sha256"}


def read_run_directory(path: Path) -> Source:
    """The trained model in ``path`` with its spec and image lists.

    Raises:
        MissingInputError: there is no such directory, or one of its files is missing.
        DataError: a file contradicts the format.
        ModelError: the contract is damaged.
    """
    if not path.is_dir():
        raise MissingInputError(f"There is no run directory {path}; train a model first, or give the path of one.")
    missing = [name for name in FILES if not (path / name).is_file()]
    if missing:
        raise MissingInputError(f"{path} lacks {', '.join(missing)}: it is not a complete run directory. Train again.")
    spec = spec_from_json((path / "contract.json").read_text("utf-8"))
    lists = _json(path / "images.json")
    if not isinstance(lists, dict) or lists.keys() - {"validation"} != {"calibration", "test"}:
        raise DataError(
            f"{path / 'images.json'} does not hold the lists 'calibration' and 'test' (and perhaps 'validation'); "
            "train again."
        )
    num_classes = len(spec.labels)
    calibration = _entries(path, "calibration", lists["calibration"], num_classes)
    test = _entries(path, "test", lists["test"], num_classes)
    training = {"config": _json(path / "config.json"), "metrics": _json(path / "metrics.json")}
    # Runs of older versions, and runs on arrays, hold no validation images.
    validation = _entries(path, "validation", lists["validation"], num_classes) if "validation" in lists else ()
    model, background, region = KerasFile(path / "model.keras"), _background(path), _region(path)
    return Source(model, spec, calibration, test, training, validation=validation, background=background, region=region)


def _region(root: Path) -> Region | None:
    """The part of the camera's frame that the images were cut from; most runs have none."""
    path = root / "region.json"
    return region_from_json(path.read_text("utf-8")) if path.is_file() else None


def _background(root: Path) -> tuple[ImageEntry, ...]:
    """Images of the empty scene that were not trained on; most runs have none."""
    path = root / "background.json"
    if not path.is_file():
        return ()
    items = _json(path)
    if not isinstance(items, list) or not all(isinstance(item, dict) and item.keys() == _SCENE_KEYS for item in items):
        raise DataError(f"{path} is no list of {sorted(_SCENE_KEYS)}; train again.")
    return tuple(ImageEntry(escape_name(item["name"]), -1, root / item["file"], None, item["sha256"]) for item in items)


def _entries(root: Path, which: str, items: Any, num_classes: int) -> tuple[ImageEntry, ...]:
    if not isinstance(items, list) or not items:
        raise DataError(f"{root / 'images.json'} has no {which} images; expected a list of at least one. Train again.")
    entries = []
    for index, item in enumerate(items):
        if not isinstance(item, dict) or item.keys() != _ENTRY_KEYS or not isinstance(item["sha256"], str):
            raise DataError(
                f"{root / 'images.json'}: {which} entry {index} is {str(item)[:80]}, expected {sorted(_ENTRY_KEYS)}."
            )
        if not isinstance(item["label"], int) or not 0 <= item["label"] < num_classes:
            raise DataError(
                f"{root / 'images.json'}: {which} image {item['name']} has label {item['label']!r}, expected 0 to "
                f"{num_classes - 1}."
            )
        entries.append(
            ImageEntry(escape_name(item["name"]), item["label"], root / item["file"], item["row"], item["sha256"])
        )
    names = {entry.name for entry in entries}
    if len(names) != len(entries):
        raise DataError(
            f"{root / 'images.json'}: {len(entries)} {which} images have {len(names)} names; expected unique ones."
        )
    return tuple(entries)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); the run directory is damaged, train again.") from error
