"""Sets a trained run's smallest weights to zero and trains the others on: `python -m train.prune RUN --sparsity 50`.

Magnitude pruning, layer by layer, of convolution and dense kernels; the share of zeros rises over the first third of
the training (Zhu and Gupta, "To prune, or not to prune", 2017) and is held to the end. Writes a run directory.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.cli.verb_parser import VerbParser, add_quiet_flag
from edge_runtime.contract import InputSpec
from edge_runtime.errors import ConfigurationError, DataError, MissingInputError, UsageError
from edge_runtime.system.command import run_command
from edge_runtime.system.quiet_start import silence_stderr
from train.recipes.config import Recipe, TeacherRun, TrainConfig

if TYPE_CHECKING:
    from train.datasets.dataset import Dataset
    from train.training.result import TrainResult

EXAMPLES = """examples:
  python -m train.prune runs/resnet8 --sparsity 50 --out runs/resnet8-pruned50
  python -m train.prune runs/resnet8 --sparsity 75 --epochs 10 --out runs/resnet8-pruned75
"""
RATE = 2e-3


@dataclass(frozen=True, kw_only=True)
class PrunedConfig(TrainConfig):
    """The configuration of the run that was pruned, and what pruning did; ``sparsity`` in [0, 1]."""

    sparsity: float
    pruning_epochs: int
    pruned_from: str


def read_config(run: Path) -> TrainConfig:
    """The configuration of a finished run.

    Raises:
        MissingInputError: there is no run directory.
        DataError: its configuration is damaged.
        UsageError: it was made by transfer learning, which cannot be pruned.
    """
    path = run / "config.json"
    if not path.is_file() or not (run / "model.keras").is_file():
        raise MissingInputError(
            f"{run} is not a run directory: it lacks config.json or model.keras. Train a model first."
        )
    try:
        values = json.loads(path.read_text("utf-8"))
        names = [field.name for field in dataclasses.fields(TrainConfig) if field.name not in ("teacher", "start")]
        fields = {name: values[name] for name in names}
        if "optimizer" in fields["recipe"]:
            # Runs from earlier versions do not record that they had no teacher and no start.
            for role in ("teacher", "start"):
                fields[role] = TeacherRun(**values[role]) if values.get(role) else None
            fields["recipe"], fields["input"] = Recipe(**fields["recipe"]), InputSpec(**fields["input"])
            return TrainConfig(**fields)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a training configuration ({error}); train again.") from error
    raise UsageError(f"{run} was made by transfer learning; only networks trained from scratch can be pruned.")


def make_pruned_config(run: Path, sparsity: float, epochs: int) -> PrunedConfig:
    """Raises: what `read_config` raises, ConfigurationError for a sparsity or a number of epochs that cannot be."""
    config = read_config(run)
    if not 0 < sparsity < 1:
        raise ConfigurationError(f"The sparsity is {100 * sparsity:g} %, expected above 0 and below 100.")
    if epochs < 1:
        raise ConfigurationError(f"The number of epochs is {epochs}, expected at least 1.")
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    digest = hashlib.sha256((run / "model.keras").read_bytes()).hexdigest()
    values["name"] = f"{config.name}-pruned{100 * sparsity:g}"
    return PrunedConfig(**values, sparsity=sparsity, pruning_epochs=epochs, pruned_from=digest)


def fine_tune(run: Path, config: PrunedConfig, dataset: Dataset) -> TrainResult:
    """Prunes while training continues; keeps the best epoch among those that have all their zeros.

    Raises:
        DataError: the loss became NaN or infinite.
    """
    import keras

    from train.recipes.schedule import compute_learning_rate
    from train.scratch.batches import count_batches, draw_epoch_batches
    from train.scratch.epoch import train_epoch
    from train.scratch.pruning import PruningLearner, compute_target_sparsity
    from train.training.result import TrainResult

    keras.utils.set_random_seed(config.seed)
    model = keras.models.load_model(run / "model.keras", compile=False)
    recipe = dataclasses.replace(read_trained_recipe(config), learning_rate=RATE, schedule="cosine", warmup=0.0)
    steps = count_batches(dataset.train, recipe.batch_size)
    total = config.pruning_epochs * steps
    learner = PruningLearner(model, config.sparsity, steps, total, RATE)
    history: list[dict[str, float]] = []
    best, best_epoch, best_accuracy = model.get_weights(), config.pruning_epochs, -1.0
    for epoch in range(config.pruning_epochs):
        # The seed's batches continue after those of the training.
        number = recipe.epochs + epoch
        row = train_epoch(
            learner,
            dataset,
            draw_epoch_batches(dataset.train, len(dataset.labels), recipe, config.seed, number),
            lambda step: compute_learning_rate(step, total, recipe),
            lambda *_: None,
            epoch=epoch,
            num_steps=steps,
            peak_rate=RATE,
        )
        history.append(row)
        full = compute_target_sparsity(epoch * steps + steps - 1, total, config.sparsity) >= config.sparsity
        if full and row["validation_accuracy"] >= best_accuracy:
            best, best_epoch, best_accuracy = model.get_weights(), epoch + 1, row["validation_accuracy"]
        left = round(row["seconds"] * (config.pruning_epochs - epoch - 1))
        print(
            f"pruning {config.sparsity:.0%}: epoch {epoch + 1}/{config.pruning_epochs}  "
            f"validation {row['validation_accuracy']:.2%}  {left} s left",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    model.set_weights(best)
    return TrainResult(model, tuple(history), best_epoch, sum(row["seconds"] for row in history))


def read_trained_recipe(config: TrainConfig) -> Recipe:
    """The recipe of a run trained from scratch. Raises UsageError for a run by transfer learning."""
    if not isinstance(config.recipe, Recipe):
        raise UsageError("The run was made by transfer learning; only networks trained from scratch can be pruned.")
    return config.recipe


def is_current(out: Path, config: PrunedConfig) -> bool:
    """Whether ``out`` already holds exactly this pruning of exactly this model."""
    try:
        found = json.loads((out / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    keys = ("sparsity", "pruning_epochs", "pruned_from", "seed")
    return all(found.get(key) == getattr(config, key) for key in keys)


def prune(options: argparse.Namespace) -> None:
    """Data, pruning, scoring, files. Raises an EdgeRuntimeError that says which input is wrong."""
    config = make_pruned_config(options.run, options.sparsity / 100, options.epochs)
    if options.reuse and is_current(options.out, config):
        print(f"{options.out} is already complete; there is nothing to do.", file=sys.stderr)
        return
    if options.out.exists() and not (options.force or options.reuse):
        raise UsageError(f"{options.out} already exists and would be overwritten; choose another --out, or --force.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from train.datasets import open_dataset

    dataset = open_dataset(config.data, options.data_path, config.input, config.seed)

    from train.runs.run_directory import write_run
    from train.training.evaluation import evaluate

    result = fine_tune(options.run, config, dataset)
    report = evaluate(result.model, dataset)
    write_run(options.out, config, dataset, result, report)
    low, high = report.accuracy_interval
    print(f"{options.out}: test accuracy {report.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code."""
    flags = VerbParser(
        prog="python -m train.prune", description=__doc__, epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    flags.add_argument("run", type=Path, metavar="RUN", help="run directory of the model to prune")
    flags.add_argument("--sparsity", type=float, required=True, metavar="PERCENT", help="share of weights to remove")
    flags.add_argument("--epochs", type=int, default=6, help="epochs of fine-tuning (default: 6)")
    flags.add_argument("--out", type=Path, required=True, help="run directory to write")
    flags.add_argument("--data-path", type=Path, help="where cifar10 lies, if the run was trained on it")
    flags.add_argument("--reuse", action="store_true", help="do nothing where OUT is this pruning already")
    flags.add_argument("--force", action="store_true", help="replace OUT if it exists")
    add_quiet_flag(flags)
    return run_command(
        lambda: _run(flags.parse_args(arguments)), "interrupted; nothing was written, the same command starts again"
    )


def _run(options: argparse.Namespace) -> None:
    with silence_stderr(options.quiet):
        prune(options)


if __name__ == "__main__":
    sys.exit(main())
