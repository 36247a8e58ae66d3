"""What a model card says, as a value: read from the run directory, the file and the report, which
must belong together.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.converter.contract import shorten_data_path
from convert.inputs.run_directory import read_run_directory
from convert.measure.robustness import Robustness, choose_indices, measure_robustness
from convert.tflite.audit import audit
from edge_runtime.errors import DataError, MissingInputError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.metrics import wilson_interval
from edge_runtime.model.model_file import open_model


@dataclass(frozen=True)
class Card:
    """What a card says. ``config`` and ``metrics`` are the run's files, ``verification`` is that of the report;
    sizes in bytes; ``robustness``, and the report's ``field_test`` as plain values, are None where nobody measured.
    """

    name: str
    file: str
    file_bytes: int
    file_sha256: str
    flatbuffer_bytes: int
    bytes_before_packing: int
    macs: int
    parameters: int
    labels: tuple[str, ...]
    input_pixels: tuple[int, int]
    threshold: float
    versions: dict[str, str]
    num_calibration_images: int
    config: dict[str, Any]
    metrics: dict[str, Any]
    verification: dict[str, Any]
    robustness: Robustness | None = None
    field_test: dict[str, Any] | None = None


def read_card(run: Path, file: Path, report_path: Path) -> Card:
    """The Card of ``file``, which was converted from ``run`` with the report at ``report_path``.

    Raises:
        MissingInputError: one of them is missing.
        DataError: they do not belong together, or are not what training and conversion write.
        ModelError: ``file`` is damaged.
    """
    config = shorten_data_path(_json(run / "config.json"))
    metrics, report = _json(run / "metrics.json"), _json(report_path)
    model = open_model(file)
    contract, content = model.contract, file.read_bytes()
    provenance = contract.provenance
    if provenance.get("training") != config:
        raise DataError(
            f"{file} was made from a run with the configuration {provenance.get('training')}, {run} has "
            f"{config}: they do not belong together; name the run that was converted."
        )
    claimed = {score.backend: score.num_correct for score in contract.scores}
    try:
        verification = report["verification"]
        measured = {row["backend"]: row["num_correct"] for row in verification["backends"]}
        if claimed != {"float32": verification["float_num_correct"], **measured}:
            raise DataError(
                f"{file} claims {claimed} right answers, {report_path} measured {measured}: they do not belong "
                "together; convert again."
            )
        audited = audit(model.flatbuffer)
        return Card(
            name=contract.spec.name,
            file=file.name,
            file_bytes=len(content),
            file_sha256=hashlib.sha256(content).hexdigest(),
            flatbuffer_bytes=len(model.flatbuffer),
            bytes_before_packing=provenance["flatbuffer_bytes"]["before_packing"],
            macs=audited.macs,
            parameters=audited.parameters,
            labels=contract.spec.labels,
            input_pixels=(contract.spec.input.width, contract.spec.input.height),
            threshold=contract.threshold,
            versions=provenance["versions"],
            num_calibration_images=len(provenance["calibration"]["images"]),
            config=config,
            metrics=metrics,
            verification=verification,
            field_test=report.get("field_test"),
        )
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{report_path} or {file} lacks {error}; expected what python -m convert writes from a run with a test "
            "split. Convert again."
        ) from error


def measure_run(run: Path, file: Path, num_images: int) -> Robustness:
    """How well ``file`` does on ``num_images`` corrupted test images of ``run``.

    Raises: what `read_run_directory`, `ImageEntry.read` and `Classifier` raise.
    """
    test = read_run_directory(run).test
    entries = [test[index] for index in choose_indices(len(test), num_images)]
    with Classifier(file) as classifier:
        images = [entry.read() for entry in entries]
        return measure_robustness(classifier, images, np.array([entry.label for entry in entries]))


def summarize(card: Card) -> dict[str, Any]:
    """The card's figures as plain JSON values, each accuracy with its 95 % interval."""
    num = card.verification["num_images"]
    right = {"float32": card.verification["float_num_correct"]}
    right |= {row["backend"]: row["num_correct"] for row in card.verification["backends"]}
    return {
        **{key: value for key, value in dataclasses.asdict(card).items() if key not in ("metrics", "verification")},
        "num_images": num,
        "correct": right,
        "accuracy": {name: [count / num, *wilson_interval(count, num)] for name, count in right.items()},
        "best_epoch": card.metrics["best_epoch"],
        "training_seconds": card.metrics["training_seconds"],
    }


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no {path}; train and convert first, or name the right folder.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); expected what training and conversion write.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} holds a {type(value).__name__}, expected a JSON object; train and convert again.")
    return value
