"""Makes the backbone of `edge-runtime teach`: the pretrained network and a head of two classes to be replaced.

The two classes are animals and vehicles of the embedded CIFAR-10 images: they say nothing to a user, but they give the
file a test split and golden frames with clear answers, so that it is verified like any other model. Images are sheets
of one, four or nine small photos, enlarged: the network must see edges of several sizes when its ranges are measured.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.cli.verb_parser import VerbParser, add_quiet_flag
from edge_runtime.contract import InputSpec
from edge_runtime.errors import UsageError
from edge_runtime.system.command import run_command
from edge_runtime.system.quiet_start import silence_stderr
from train.datasets import open_dataset
from train.datasets.dataset import ArraySplit, Dataset, Split
from train.recipes.config import TrainConfig
from train.recipes.transfer_config import SCALES, transfer

NAME = "teach-backbone"
LABELS = ("animal", "vehicle")
ANIMALS = (2, 3, 4, 5, 6, 7)  # bird, cat, deer, dog, frog, horse
CIFAR = "cifar10-mini"
NUM_CALIBRATION, NUM_TEST = 200, 40
# A sheet has 1, 4 or 9 photos.
MOST_PER_SIDE = 3
BATCH = 20
# Ridge regression to targets of -1 and 1; the logits are then far enough apart for clear goldens.
RIDGE, SHARPNESS = 1.0, 4.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code."""
    parser = VerbParser(
        prog="python -m train.transfer.teach_backbone",
        description="Writes the run directory of the backbone that `edge-runtime teach` puts its own head on.",
        epilog="example: python -m train.transfer.teach_backbone --out runs/teach-backbone",
        allow_abbrev=False,
    )
    parser.add_argument("--out", type=Path, default=Path("runs") / NAME, help=f"run directory (default: runs/{NAME})")
    parser.add_argument("--force", action="store_true", help="replace an existing run")
    add_quiet_flag(parser)

    def run() -> int:
        flags = parser.parse_args(arguments)
        if flags.out.exists() and not flags.force:
            raise UsageError(f"{flags.out} already exists and would be overwritten; choose another --out, or --force.")
        with silence_stderr(flags.quiet):
            write_backbone(flags.out)
        print(flags.out)
        return 0

    return run_command(run)


def write_backbone(out: Path) -> None:
    """Writes the run directory ``out``. Raises MissingInputError where the ImageNet weights are not installed."""
    import keras

    from train.runs.run_directory import keep_run
    from train.training.evaluation import evaluate
    from train.training.result import TrainResult
    from train.transfer.backbone import efficientnet_lite0 as backbone
    from train.transfer.photos import build

    started_s = time.monotonic()
    side = SCALES["full"].side
    config = TrainConfig(NAME, CIFAR, "transfer", InputSpec(side, side), transfer("full", None, 0), 0)
    dataset = make_sheets(config.input, config.seed)
    model = build(config.input, SCALES["full"], len(LABELS))
    backbone.set_weights(model, backbone.load_pretrained())
    network = keras.Model(model.inputs, model.layers[-2].output)
    features = network.predict(
        dataset.train.read(range(NUM_CALIBRATION)).astype(np.float32), batch_size=BATCH, verbose=0
    )
    model.layers[-1].set_weights(list(fit_two_classes(features, dataset.train.labels)))
    result = TrainResult(model, (), 0, time.monotonic() - started_s)
    keep_run(out, config, dataset, result, evaluate(model, dataset))


def make_sheets(spec: InputSpec, seed: int) -> Dataset:
    """Sheets in the size of ``spec``, as many of animals as of vehicles; test sheets are of test images alone."""
    photos = open_dataset(CIFAR, None, InputSpec(32, 32), seed)
    train, test = (
        _draw_split(split, name, num, spec, np.random.default_rng([seed, stream]))
        for stream, (split, name, num) in enumerate(
            ((photos.train, "train", NUM_CALIBRATION), (photos.test, "test", NUM_TEST))
        )
    )
    return Dataset(NAME, LABELS, train, train.pick(np.arange(0)), test, photos.citation)


def _draw_split(photos: Split, name: str, num: int, spec: InputSpec, rng: np.random.Generator) -> ArraySplit:
    is_vehicle = ~np.isin(photos.labels, ANIMALS)
    labels = np.arange(num, dtype=np.int64) % len(LABELS)
    sheets = []
    for number, label in enumerate(labels.tolist()):
        per_side = number // len(LABELS) % MOST_PER_SIDE + 1
        chosen = rng.choice(np.flatnonzero(is_vehicle == bool(label)), per_side**2, replace=False)
        rows = photos.read(chosen).reshape(per_side, per_side, 32, 32, 3).transpose(0, 2, 1, 3, 4)
        sheet = rows.reshape(per_side * 32, per_side * 32, 3)
        sheets.append(cv2.resize(sheet, (spec.width, spec.height), interpolation=cv2.INTER_CUBIC))
    return ArraySplit(np.stack(sheets), labels, tuple(f"{name}/{index:05d}" for index in range(num)), spec)


def fit_two_classes(
    features: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The kernel (width, 2) and bias (2,) of the head, by ridge regression on (n, width) features."""
    mean = features.mean(axis=0)
    centred, targets = features - mean, 2.0 * labels - 1.0
    products = centred @ centred.T + RIDGE * np.eye(len(features), dtype=np.float32)
    weights = SHARPNESS / 2 * (centred.T @ np.linalg.solve(products, targets))
    kernel = np.stack([-weights, weights], axis=1).astype(np.float32)
    return kernel, (-mean @ kernel).astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
