"""The command line of training: flags become a `TrainConfig` at once; nothing else here decides anything."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_runtime.contract import RESIZE_MODES, InputSpec
from edge_runtime.errors import UsageError
from edge_runtime.system.command import run_command
from edge_runtime.system.quiet_start import quiet_start
from train.datasets.data_checks import format_checks
from train.datasets.layout import SPLITS
from train.models import MODELS
from train.recipes.config import NAMED_DATA, RECIPES, Recipe, TrainConfig, preset
from train.recipes.transfer_config import FLIPS, SCALES, TransferRecipe, transfer, with_changes
from train.runs.places import expect_free, expect_room, expect_same_data, find_teacher_run

EXAMPLES = """examples:
  python -m train --out runs/first                                   seed_cnn on the embedded images
  python -m train --model resnet8 --out runs/resnet8                 the reference network, a few minutes
  python -m train --data photos/ --model transfer --out runs/mine    own photos, one directory a class
  python -m train --data photos/ --model transfer --size tiny --minutes 5 --out runs/mine-tiny
  python -m train --data photos/ --size 64 --out runs/scratch      the same photos from scratch
  python -m train --data cifar10 --model micro --epochs 45 --out runs/micro
  python -m train --data cifar10 --model micro --epochs 45 --out runs/micro --resume   go on after an interruption
"""
TRANSFER = "transfer"


def make_parser() -> argparse.ArgumentParser:
    """All flags, with examples."""
    flags = argparse.ArgumentParser(
        prog="python -m train",
        description="Trains a small image classifier and writes a run directory for `python -m convert`.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument("--out", type=Path, required=True, help="run directory to write")
    flags.add_argument("--data", default="cifar10-mini", help="cifar10-mini (default), cifar10 or a folder of images")
    for split in SPLITS:
        flags.add_argument(f"--{split}", type=Path, metavar="DIR", help=f"{split} images, one directory a class")
    flags.add_argument("--data-path", type=Path, help="where cifar10 lies: an .npz or a folder of extracted batches")
    known = ", ".join((*MODELS, TRANSFER))
    flags.add_argument("--model", default="seed_cnn", help=f"{known} (default: seed_cnn), or scaled-KIND-wN-dN[-s2]")
    flags.add_argument(
        "--size",
        help=f"transfer: {', '.join(SCALES)} (default: small); others: pixels, N or HEIGHTxWIDTH (default: 32 for "
        "cifar10, else 64)",
    )
    flags.add_argument("--minutes", type=float, help="transfer: end in time (default: tiny 8, small 9, full 30)")
    flags.add_argument(
        "--skip-bad", action="store_true", help="leave out unreadable and contradictory files instead of refusing them"
    )
    flags.add_argument(
        "--background",
        type=Path,
        help="transfer: folder of what the camera sees when nothing is there (default: background/ in the data)",
    )
    flags.add_argument(
        "--flip",
        choices=FLIPS,
        help="transfer: whether a mirror image is the same thing (default: auto, decided on validation images)",
    )
    flags.add_argument("--resize", default="stretch", choices=RESIZE_MODES, help="how a frame becomes the input")
    flags.add_argument("--recipe", choices=tuple(RECIPES), help="default: adam for seed_cnn, modern for the others")
    flags.add_argument("--teacher", type=Path, help="run directory of a larger network to learn from as well")
    flags.add_argument("--start", type=Path, help="run directory of the same architecture: go on from its weights")
    flags.add_argument("--csv", type=Path, metavar="FILE", help="a line an epoch (default: OUT.checkpoint/curves.csv)")
    flags.add_argument("--tensorboard", type=Path, metavar="DIR", help="event files for TensorBoard, while it runs")
    flags.add_argument("--epochs", type=int, help="default: the recipe's for the architecture")
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--name", help="the model's name in its files (default: DATA-MODEL)")
    flags.add_argument("--resume", action="store_true", help="go on after the last finished epoch, if there is one")
    flags.add_argument("--force", action="store_true", help="replace an existing run and its checkpoint")
    flags.add_argument("--checkpoints", type=Path, help="folder of the checkpoint (default: OUT.checkpoint)")
    recipe = flags.add_argument_group("parts of the recipe")
    for name, kind in TUNABLE.items():
        recipe.add_argument(f"--{name.replace('_', '-')}", type=kind)
    return flags


TUNABLE = {
    "batch_size": int,
    "learning_rate": float,
    "weight_decay": float,
    "label_smoothing": float,
    "crop_padding": int,
    "cutout": int,
    "mixup": float,
    "cutmix": float,
    "average": float,
    "precision": str,
    "light": float,
    "views": int,
    "averaged": float,
    "crop_area": float,
    "jitter": float,
    "patience": int,
    "first_block": int,
    "placed": float,
    "out_of_distribution": float,
}


def make_configuration(args: argparse.Namespace) -> TrainConfig:
    """The frozen configuration of parsed flags. Raises UsageError or ConfigurationError."""
    if args.train is not None:
        args.data = str(args.train)
    elif args.validation is not None or args.test is not None:
        raise UsageError("--validation and --test go with --train DIR; without it --data is split by itself.")
    if args.resume and args.force:
        raise UsageError("--resume goes on with a run and --force throws it away; give one of them.")
    given = {name: getattr(args, name) for name in TUNABLE if getattr(args, name) is not None}
    if args.background is not None and args.model != TRANSFER:
        raise UsageError(f"--background goes with --model transfer; {args.model} does not use it.")
    data_name = args.data if args.data in NAMED_DATA else Path(args.data).resolve().name
    recipe: Recipe | TransferRecipe
    if args.model == TRANSFER:
        if args.teacher is not None:
            raise UsageError("--teacher is for training from scratch; --model transfer is transfer learning.")
        if args.start is not None:
            raise UsageError("--start is for training from scratch; --model transfer starts from ImageNet's weights.")
        if args.recipe is not None:
            raise UsageError(f"--recipe {args.recipe} is for training from scratch; transfer has its own.")
        flip = {} if args.flip is None else {"flip": args.flip}
        recipe = with_changes(transfer(args.size or "small", args.minutes, args.epochs), {**given, **flip})
        spec, name = InputSpec(recipe.scale.side, recipe.scale.side, args.resize), f"{data_name}-{recipe.scale.name}"
    else:
        if args.flip is not None:
            raise UsageError(f"--flip {args.flip} goes with --model transfer; {args.model} has its own.")
        if args.minutes is not None:
            raise UsageError(f"--minutes goes with --model transfer; {args.model} is trained for --epochs.")
        recipe = _changed(preset(args.model, args.recipe, args.epochs), given)
        spec = choose_input_spec(args.size or ("32" if args.data in NAMED_DATA else "64"), args.resize)
        name = f"{data_name}-{args.model}"
    teacher = None if args.teacher is None else find_teacher_run(args.teacher)
    start = None if args.start is None else find_teacher_run(args.start, "--start")
    return TrainConfig(args.name or name, args.data, args.model, spec, recipe, args.seed, teacher, start)


def _layout(args: argparse.Namespace) -> dict[str, Path] | None:
    given = {split: getattr(args, split) for split in SPLITS}
    return {split: path.expanduser().resolve() for split, path in given.items() if path} if args.train else None


def _changed(recipe: Recipe, given: dict[str, Any]) -> Recipe:
    fields = {field.name for field in dataclasses.fields(recipe)}
    unknown = sorted(given.keys() - fields)
    if unknown:
        raise UsageError(f"--{unknown[0].replace('_', '-')} is part of the recipe transfer alone; leave it out.")
    return dataclasses.replace(recipe, **given)


def choose_input_spec(size: str, resize: str) -> InputSpec:
    """The input of ``--size N`` or ``--size HEIGHTxWIDTH``. Raises UsageError."""
    parts = size.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() for part in parts):
        raise UsageError(f"--size is {size!r}, expected a number of pixels like 64, or HEIGHTxWIDTH like 48x64.")
    return InputSpec(int(parts[0]), int(parts[-1]), resize)


def train(args: argparse.Namespace) -> None:
    """Data, training, scoring, files. Whatever can fail without training fails before it."""
    started_s = time.monotonic()
    if args.resume and not args.force and args.out.exists():
        expect_same_data(args.out, args.data)
        print(f"{args.out} is complete already; nothing to do. (--force trains again.)", file=sys.stderr)
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
        layout=_layout(args),
        progress=sys.stderr,
    )
    if dataset.checks is not None:
        print("\n".join(format_checks(dataset.checks)), file=sys.stderr)
    with quiet_start():
        import tensorflow as tf

        from train.scratch.distillation import open_start, open_teacher
        from train.scratch.fit import fit
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
        teacher = None
        if config.teacher is not None:
            answers = checkpoints / "teacher"
            teacher = open_teacher(args.teacher, config, dataset, answers)
            progress.note(f"learning from {config.teacher.name} ({args.teacher}) as well")
        start = None
        if config.start is not None:
            start = open_start(args.start, config, dataset)
            progress.note(f"going on from {config.start.name} ({args.start})")
        result = fit(config, dataset, checkpoints, resume=args.resume, progress=progress, teacher=teacher, start=start)
    report = evaluate(result.model, dataset)
    keep_run(args.out, config, dataset, result, report)
    shutil.rmtree(checkpoints, ignore_errors=True)
    print(render_table(report))
    progress.note(f"{args.out} written; best epoch {result.best_epoch}, {result.seconds:.0f} s of training")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code."""
    args = make_parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    return run_command(
        lambda: train(args), "interrupted; the same command with --resume goes on after the last finished epoch"
    )


if __name__ == "__main__":
    sys.exit(main())
