from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m train")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--data-path", type=Path)
    parser.add_argument("--model", default="micro")
    parser.add_argument("--recipe", default="modern")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    from edge_runtime.contract import InputSpec
    from train.config import RECIPES, TrainConfig
    from train.datasets import open_dataset
    from train.fit import fit
    from train.progress import Progress

    recipe = RECIPES[args.recipe](args.epochs)
    config = TrainConfig(args.model, args.data, args.model, InputSpec(32, 32), recipe, args.seed)
    dataset = open_dataset(args.data, args.data_path, config.input, args.seed)
    checkpoints = args.out.with_name(args.out.name + ".checkpoint")
    result = fit(config, dataset, checkpoints, resume=args.resume, progress=Progress(sys.stderr, recipe.epochs))
    result.model.save(args.out.with_name(args.out.name + ".keras"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
