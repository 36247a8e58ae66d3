"""The command line of training, read once from top to bottom: data, training, scoring, files."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.system.command import run_command
from edge_runtime.system.quiet_start import quiet_start, silence_stderr
from train.datasets.data_checks import format_checks
from train.recipes.transfer_config import TransferRecipe
from train.runs.flags import choose_layout, make_configuration, parse
from train.runs.places import expect_free, expect_room, expect_same_data

if TYPE_CHECKING:
    from train.datasets.dataset import Dataset
    from train.progress import Progress
    from train.recipes.config import TrainConfig
    from train.training.result import TrainResult


def train(args: argparse.Namespace) -> None:
    """Data, training, scoring, files. Whatever can fail without training fails before it."""
    started_s = time.monotonic()
    if args.resume and not args.force and args.out.exists():
        expect_same_data(args.out, args.data)
        print(f"{args.out} is already complete; there is nothing to do. (--force trains again.)", file=sys.stderr)
        return
    config = make_configuration(args)
    checkpoints = args.checkpoints or args.out.with_name(f"{args.out.name}.checkpoint")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    expect_room(args.out)
    if not (args.resume or args.force):
        expect_free(args.out, checkpoints)
    from train.datasets import open_dataset

    dataset = open_dataset(
        config.data,
        args.data_path,
        config.input,
        config.seed,
        skip_bad=args.skip_bad,
        background=args.background,
        layout=choose_layout(args),
        progress=sys.stderr,
    )
    if dataset.checks is not None:
        print("\n".join(format_checks(dataset.checks)), file=sys.stderr)
    with quiet_start():
        import tensorflow as tf
    from train.curves import Curves
    from train.progress import Progress
    from train.runs.run_directory import keep_run
    from train.training.evaluation import evaluate, render_table

    if args.force:
        shutil.rmtree(checkpoints, ignore_errors=True)
    tf.config.experimental.enable_op_determinism()
    recipe = config.recipe
    curves = Curves(args.csv or checkpoints / "curves.csv", args.tensorboard)
    num_epochs = recipe.rounds if isinstance(recipe, TransferRecipe) else recipe.epochs
    progress = Progress(sys.stderr, num_epochs, curves=curves)
    sizes = [len(split.labels) for split in (dataset.train, dataset.validation, dataset.test)]
    progress.note(f"{dataset.name}: {len(dataset.labels)} classes, {sizes[0]} + {sizes[1]} + {sizes[2]} images")
    if isinstance(recipe, TransferRecipe):
        from train.transfer.photos import train_transfer

        result = train_transfer(
            config, recipe, dataset, checkpoints, resume=args.resume, progress=progress, started_s=started_s
        )
    else:
        result = _train_from_scratch(args, config, dataset, checkpoints, progress)
    report = evaluate(result.model, dataset)
    keep_run(args.out, config, dataset, result, report)
    shutil.rmtree(checkpoints, ignore_errors=True)
    print(render_table(report))
    progress.note(f"{args.out} written; best epoch {result.best_epoch}, {result.seconds:.0f} s of training")


def _train_from_scratch(
    args: argparse.Namespace, config: TrainConfig, dataset: Dataset, checkpoints: Path, progress: Progress
) -> TrainResult:
    from train.scratch.distillation import open_start, open_teacher
    from train.scratch.fit import fit

    teacher, start = None, None
    if config.teacher is not None:
        teacher = open_teacher(args.teacher, config, dataset, checkpoints / "teacher")
        progress.note(f"learning from {config.teacher.name} ({args.teacher}) as well")
    if config.start is not None:
        start = open_start(args.start, config, dataset)
        progress.note(f"going on from {config.start.name} ({args.start})")
    return fit(config, dataset, checkpoints, resume=args.resume, progress=progress, teacher=teacher, start=start)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    return run_command(
        lambda: _run(parse(arguments)), say_interrupted(sys.argv[1:] if arguments is None else arguments)
    )


def say_interrupted(arguments: Sequence[str]) -> str:
    """What to do after a Ctrl-C on the command line ``arguments``; make, `edge-train` and `train.zoo` always resume."""
    how = "the same command" if "--resume" in arguments else "the same command with --resume"
    return f"interrupted; {how} continues after the last finished epoch"


def _run(args: argparse.Namespace) -> None:
    with silence_stderr(args.quiet):
        train(args)


if __name__ == "__main__":
    sys.exit(main())
