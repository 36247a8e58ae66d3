"""Which images are fair: held out from the new model's training, and provably new to the old one.

There are three proofs: the old run lists the image in its own test split; both models have the same test split; or a
device saved the frame while the old model was running, so that model cannot have been trained on it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.inputs.source import ImageEntry, Source, hash_entries
from edge_runtime.contract import Contract
from edge_runtime.errors import DataError

LOG = Path(".sorted") / "sorted.jsonl"


@dataclass(frozen=True)
class HeldOut:
    """``entries`` are fair to both models; ``from_camera`` are the SHA-256 of those that a device saved; the old model
    may have been trained on ``num_left_out`` images of the new test split.
    """

    entries: tuple[ImageEntry, ...]
    from_camera: frozenset[str]
    num_left_out: int


def choose_held_out(new: Source, old: Contract, old_run: Source | None, log: Sequence[Mapping[str, Any]]) -> HeldOut:
    """The images of ``new``'s test split that the old model was not trained on; ``log`` is the log of `train.sort`.

    Raises:
        DataError: there is none, or ``old_run`` is not the run of the old file.
    """
    if old_run is not None and hash_entries(old_run.test) != _tested(old):
        raise DataError(
            "The old run's test images are not those that the old file was tested on; expected the run directory that "
            "the old file was made from."
        )
    seen_by_old = {
        str(line["sha256"])
        for line in log
        if isinstance(line.get("record"), Mapping) and line["record"].get("model_sha256") == old.parts.get("model")
    }
    if hash_entries(new.test) == _tested(old):
        fair = {entry.sha256 for entry in new.test}
    else:
        fair = seen_by_old | ({entry.sha256 for entry in old_run.test} if old_run else set())
    entries = tuple(entry for entry in new.test if entry.sha256 in fair)
    if not entries:
        raise DataError(
            f"None of the {len(new.test)} test images of the new run is known to be new to the old model; expected the "
            "old run (--old-run, AGAINST_RUN=), or sorted frames that a device saved with the old model."
        )
    sorted_frames = frozenset(str(line["sha256"]) for line in log if line.get("record"))
    return HeldOut(entries, sorted_frames & {entry.sha256 for entry in entries}, len(new.test) - len(entries))


def read_log(run: Source) -> list[dict[str, Any]]:
    """The lines that sorting wrote beside the run's images, oldest first; none where nothing was sorted."""
    data = run.training.get("config", {}).get("data", "")
    found: list[dict[str, Any]] = []
    for folder in (Path(data).expanduser(), Path(data).expanduser() / "train"):
        with contextlib.suppress(OSError):
            for line in (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError):
                    value = json.loads(line)
                    if isinstance(value, dict) and "sha256" in value:
                        found.append(value)
    return found


def _tested(contract: Contract) -> str:
    test = contract.provenance.get("test")
    return str(test.get("sha256_of_list", "")) if isinstance(test, Mapping) else ""
