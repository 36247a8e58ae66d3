"""How many calibration images are enough? Converts with more and more of them, twice each on disjoint ones; scores.

Run by `python -m convert.compare RUN --calibration-study`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from convert.converter import quantize
from convert.converter.contract import spec_of_file, unverified
from convert.inputs.calibration import choose_calibration
from convert.inputs.source import Source
from convert.measure.gate import Probabilities, score
from convert.output.page import document, markdown_table, table
from convert.output.plot import Point, scatter
from convert.output.progress import stage
from convert.tflite import schema
from edge_runtime.errors import DataError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.metrics import mcnemar_p, wilson_interval

NUMBERS = (10, 20, 50, 100, 200, 500)
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Trial:
    """One calibration on ``num_images``; ``half`` A or B of disjoint ones; against the whole pool: the largest relative
    change of an activation scale, McNemar's p, and the share of equal labels.
    """

    num_images: int
    half: str
    accuracy: float
    interval: tuple[float, float]
    scale_change: float
    mcnemar_p: float
    agreement: float


@dataclass(frozen=True)
class Study:
    """``float_accuracy`` and ``pool_accuracy`` (calibrated on all ``pool`` images) are what the trials are held to;
    ``between`` the largest scale change between the halves, by number of images.
    """

    run: str
    num_test: int
    pool: int
    backend: str
    float_accuracy: float
    pool_accuracy: float
    trials: tuple[Trial, ...]
    between: dict[int, float]

    @property
    def enough(self) -> int:
        """The smallest number from which on no calibration is significantly worse or better than the whole pool."""
        sizes = sorted({trial.num_images for trial in self.trials})
        bad = [trial.num_images for trial in self.trials if trial.mcnemar_p < SIGNIFICANCE]
        return next((size for size in sizes if size > max(bad, default=0)), self.pool)


def study(source: Source, numbers: Sequence[int] = NUMBERS) -> Study:
    """Converts and scores 2 x len(numbers) + 2 models.

    Raises:
        DataError: the pool has fewer than twice the smallest number of images.
    """
    spec = spec_of_file(source, None)
    pool = len(source.calibration)
    usable = [number for number in numbers if 2 * number <= pool]
    if not usable:
        raise DataError(f"The run has {pool} calibration images, expected at least {2 * min(numbers)} for two halves.")
    everything = choose_calibration(source, pool, seed=0).images
    subsets = {
        (number, half): everything[start : start + number]
        for number in usable
        for half, start in (("A", 0), ("B", number))
    }
    models = {"float": quantize.to_float(source), "pool": _integer(source, everything)}
    for (number, half), images in subsets.items():
        models[f"{number} {half}"] = _integer(source, images)
    classifiers = {name: Classifier(unverified(content, spec)) for name, content in models.items()}
    scores = score(classifiers, source.test, "Scoring all calibrations")
    truth = np.array([entry.label for entry in source.test])
    right = {name: _labels(found) == truth for name, found in scores.items()}
    scales = {name: activation_scales(content) for name, content in models.items() if name != "float"}
    trials = []
    for number, half in subsets:
        name = f"{number} {half}"
        only_pool, only_this = int((right["pool"] & ~right[name]).sum()), int((right[name] & ~right["pool"]).sum())
        trials.append(
            Trial(
                num_images=number,
                half=half,
                accuracy=float(right[name].mean()),
                interval=wilson_interval(int(right[name].sum()), len(truth)),
                scale_change=largest_change(scales["pool"], scales[name]),
                mcnemar_p=mcnemar_p(only_pool, only_this),
                agreement=float((_labels(scores[name]) == _labels(scores["pool"])).mean()),
            )
        )
    return Study(
        run=source.model.parent.name,
        num_test=len(truth),
        pool=pool,
        backend=classifiers["pool"].interpreter.kernels,
        float_accuracy=float(right["float"].mean()),
        pool_accuracy=float(right["pool"].mean()),
        trials=tuple(trials),
        between={number: largest_change(scales[f"{number} A"], scales[f"{number} B"]) for number in usable},
    )


def activation_scales(flatbuffer: bytes) -> dict[str, float]:
    """The output scale of every operator by its tensor's name; weights and biases left out."""
    tree = schema.read_tree(flatbuffer)
    subgraph = tree.subgraphs[0]
    tensors = [subgraph.tensors[int(operator.outputs[0])] for operator in subgraph.operators]
    return {schema.text(tensor.name): float(tensor.quantization.scale[0]) for tensor in tensors}


def largest_change(reference: dict[str, float], other: dict[str, float]) -> float:
    """The largest |other / reference - 1| over the tensors that both have."""
    return max(abs(other[name] / scale - 1) for name, scale in reference.items() if name in other)


def _integer(source: Source, images: NDArray[np.uint8]) -> bytes:
    stage(f"Calibrating on {len(images)} images")
    return quantize.to_integer(source, images)


def _labels(scores: Probabilities) -> NDArray[np.int64]:
    return scores.argmax(axis=1)


def rows(found: Study) -> tuple[list[str], list[list[str]]]:
    head = [
        "images",
        "half",
        "accuracy",
        "95 % interval",
        "against the whole pool: p",
        "same label",
        "largest scale change",
    ]
    head += ["between the halves"]
    body = []
    for trial in found.trials:
        between = f"{found.between[trial.num_images]:.1%}" if trial.half == "A" else ""
        interval = f"{trial.interval[0]:.2%} to {trial.interval[1]:.2%}"
        cells = [str(trial.num_images), trial.half, f"{trial.accuracy:.2%}", interval, f"{trial.mcnemar_p:.2g}"]
        body.append([*cells, f"{trial.agreement:.2%}", f"{trial.scale_change:.1%}", between])
    return head, body


def summary(found: Study) -> str:
    accuracies = [trial.accuracy for trial in found.trials if trial.num_images >= found.enough]
    spread = 100 * (max(accuracies) - min(accuracies)) if accuracies else 0.0
    return (
        f"From {found.enough} images on no calibration differs significantly from all {found.pool} (McNemar, 5 %), and "
        f"accuracies lie within {spread:.2f} points; float32 has {found.float_accuracy:.2%}, the whole pool "
        f"{found.pool_accuracy:.2%}, on {found.num_test:,} test images ({found.backend})."
    )


def as_json(found: Study) -> str:
    data = {**dataclasses.asdict(found), "enough": found.enough}
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def as_markdown(found: Study) -> str:
    return f"# {found.run}: how many calibration images?\n\n{summary(found)}\n\n{markdown_table(*rows(found))}\n"


def as_page(found: Study) -> str:
    points = [
        Point(f"{trial.num_images} {trial.half}", trial.num_images, trial.accuracy, trial.interval, kind)
        for trial in found.trials
        for kind in ("one" if trial.half == "A" else "two",)
    ]
    parts = [
        f"<h1>{escape(found.run)}: how many calibration images?</h1>",
        f'<p class="answer">{escape(summary(found))}</p>',
        f'<div class="card">{scatter(points, "calibration images", front=False)}</div><h2>Each calibration</h2>',
        table(*rows(found)),
    ]
    return document(f"{found.run}: calibration", parts)
