"""The flags of training, and the frozen `TrainConfig` made from them. Never trains."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_runtime.cli.verb_parser import VerbParser, add_quiet_flag
from edge_runtime.contract import RESIZE_MODES, InputSpec
from edge_runtime.errors import UsageError
from train.datasets.layout.split_names import SPLITS
from train.models import MODELS
from train.recipes.config import NAMED_DATA, RECIPES, Recipe, TrainConfig, preset
from train.recipes.defaults import TRANSFER, choose_model, name_run
from train.recipes.transfer_config import FLIPS, SCALES, TransferRecipe, transfer, with_changes
from train.runs.places import find_teacher_run

EXAMPLES = """examples:
  python -m train   # resnet8 on the embedded images, into runs/cifar10-mini-resnet8
  python -m train --data photos/   # own photos, one directory per class, into runs/photos-transfer
  python -m train --data photos/ --size tiny --minutes 5 --out runs/mine
  python -m train --data photos/ --model resnet8 --size 64   # the same photos from scratch
  python -m train --data cifar10 --model micro --epochs 45 --out runs/micro
  python -m train --data cifar10 --model micro --epochs 45 --out runs/micro --resume   # continue after an interruption
"""
# The parts of a recipe that a flag replaces: its type, and what it is.
TUNABLE: dict[str, tuple[type, str]] = {
    "batch_size": (int, "images per step"),
    "learning_rate": (float, "highest learning rate"),
    "weight_decay": (float, "from scratch: share that each step takes off the kernels, times the rate"),
    "label_smoothing": (float, "share of each label that is spread over all classes"),
    "crop_padding": (int, "from scratch: pixels that a random crop moves by at most"),
    "cutout": (int, "from scratch: side in pixels of a square that is blanked; 0 for none"),
    "mixup": (float, "from scratch: how evenly two images are blended (alpha of the Beta distribution); 0 for none"),
    "cutmix": (float, "from scratch: as --mixup, with a patch of the other image; 0 for none"),
    "average": (float, "decay a step of the weights' moving average; 0 for none"),
    "precision": (str, "from scratch: what convolutions compute in, float32 or bfloat16"),
    "light": (float, "from scratch: share of the images that are shown in other light"),
    "views": (int, "from scratch: crops of each image that the teacher answers to"),
    "averaged": (float, "from scratch: weight of the mean over these crops in the teacher's answers"),
    "crop_area": (float, "transfer: smallest share of an image that a random crop keeps"),
    "jitter": (float, "transfer: how far brightness, contrast and saturation move"),
    "patience": (int, "transfer: rounds without progress that end the tuning"),
    "first_block": (int, "transfer: the first block that is tuned; those before stay as they are"),
    "placed": (float, "transfer: share of the images that are shown smaller, before a background"),
    "out_of_distribution": (float, "transfer: out-of-distribution images for each image of a class"),
}


def make_parser(prog: str = "python -m train") -> argparse.ArgumentParser:
    """All flags, with examples."""
    flags = VerbParser(
        prog=prog,
        description="Trains a small image classifier and writes a run directory for `python -m convert`.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    flags.add_argument(
        "--out", type=Path, metavar="DIR", help="run directory to write (default: runs/DATA-MODEL[-SIZE])"
    )
    flags.add_argument("--data", default="cifar10-mini", help="cifar10-mini (default), cifar10 or a folder of images")
    for split in SPLITS:
        flags.add_argument(f"--{split}", type=Path, metavar="DIR", help=f"{split} images, one directory per class")
    flags.add_argument("--data-path", type=Path, help="where cifar10 lies: an .npz or a folder of extracted batches")
    known = ", ".join((*MODELS, TRANSFER))
    minutes = ", ".join(f"{name} {transfer(name).minutes:g}" for name in SCALES)
    flags.add_argument(
        "--model",
        help=f"{known}, or scaled-KIND-wN-dN[-s2] (default: {TRANSFER}, for cifar10 {choose_model(NAMED_DATA[0])})",
    )
    flags.add_argument(
        "--size",
        help=f"transfer: {', '.join(SCALES)} (default: small); others: pixels, N or HEIGHTxWIDTH (default: 32 for "
        "cifar10, else 64)",
    )
    flags.add_argument("--minutes", type=float, help=f"transfer: end in time (default: {minutes})")
    flags.add_argument(
        "--skip-bad", action="store_true", help="leave out unreadable and contradictory files instead of stopping"
    )
    flags.add_argument(
        "--background",
        type=Path,
        help="transfer: folder of images of the empty scene (default: background/ in the data)",
    )
    flags.add_argument(
        "--flip",
        choices=FLIPS,
        help="transfer: whether mirror images belong to the same class (default: auto, decided on validation images)",
    )
    flags.add_argument(
        "--resize", default="stretch", choices=RESIZE_MODES, help="how a frame becomes the input (default: stretch)"
    )
    flags.add_argument("--recipe", choices=tuple(RECIPES), help="default: adam for seed_cnn, modern for the others")
    flags.add_argument("--teacher", type=Path, help="run directory of a larger network to also learn from")
    flags.add_argument("--start", type=Path, help="run directory of the same architecture whose weights training starts from")
    flags.add_argument("--csv", type=Path, metavar="FILE", help="one line per epoch (default: OUT.checkpoint/curves.csv)")
    flags.add_argument("--tensorboard", type=Path, metavar="DIR", help="event files for TensorBoard, while it runs")
    flags.add_argument("--epochs", type=int, help="default: the recipe's for the architecture")
    flags.add_argument("--seed", type=int, default=0, help="seed of every random choice (default: 0)")
    flags.add_argument("--name", help="the model's name in its files (default: DATA-MODEL)")
    flags.add_argument("--resume", action="store_true", help="continue after the last finished epoch, if there is one")
    flags.add_argument("--force", action="store_true", help="replace an existing run and its checkpoint")
    flags.add_argument("--checkpoints", type=Path, help="folder of the checkpoint (default: OUT.checkpoint)")
    add_quiet_flag(flags)
    recipe = flags.add_argument_group("parts of the recipe")
    for name, (kind, meaning) in TUNABLE.items():
        recipe.add_argument(f"--{name.replace('_', '-')}", type=kind, help=f"{meaning} (default: the recipe's)")
    return flags


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags, with `out` and `model` where they were left out. Raises UsageError."""
    return fill_defaults(make_parser().parse_args(arguments))


def fill_defaults(args: argparse.Namespace) -> argparse.Namespace:
    """The same flags with data, model and run directory filled in."""
    data = args.data if args.train is None else str(args.train)
    model = args.model or choose_model(data)
    return argparse.Namespace(
        **{**vars(args), "data": data, "model": model, "out": args.out or name_run(data, model, args.size)}
    )


def make_configuration(args: argparse.Namespace) -> TrainConfig:
    """The frozen configuration of parsed flags. Raises UsageError or ConfigurationError."""
    args = fill_defaults(args)
    if args.train is None and (args.validation is not None or args.test is not None):
        raise UsageError("--validation and --test go with --train DIR; without it --data is split by itself.")
    if not args.data:
        raise UsageError(f"--data is empty, expected {', '.join(NAMED_DATA)} or a folder of images.")
    if args.resume and args.force:
        raise UsageError("--resume continues a run and --force discards it; give one of them.")
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


def choose_layout(args: argparse.Namespace) -> dict[str, Path] | None:
    """The folder of each split that has its own flag, None where --data is split."""
    given = {split: getattr(args, split) for split in SPLITS}
    return {split: path.expanduser().resolve() for split, path in given.items() if path} if args.train else None


def _changed(recipe: Recipe, given: dict[str, Any]) -> Recipe:
    fields = {field.name for field in dataclasses.fields(recipe)}
    unknown = sorted(given.keys() - fields)
    if unknown:
        raise UsageError(f"--{unknown[0].replace('_', '-')} is only part of the recipe transfer; leave it out.")
    return dataclasses.replace(recipe, **given)


def choose_input_spec(size: str, resize: str) -> InputSpec:
    """The input of ``--size N`` or ``--size HEIGHTxWIDTH``. Raises UsageError."""
    parts = size.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() for part in parts):
        raise UsageError(f"--size is {size!r}, expected a number of pixels like 64, or HEIGHTxWIDTH like 48x64.")
    return InputSpec(int(parts[0]), int(parts[-1]), resize)
