"""Finds the best network for a data set within a budget: `python -m train.search --data D --max-kb 100`.

Each trial is a complete train -> convert -> verify of the int8 file. The winner is chosen by validation accuracy among
networks within the budget; test accuracies are only reported. The same command continues where it stopped, and on
another machine, with the same folder and --join, it helps.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.cli.verb_parser import VerbParser, add_quiet_flag
from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError, MissingInputError, UsageError
from edge_runtime.system.command import interrupts_for_this_process, run_command
from edge_runtime.system.durable import write_durably
from edge_runtime.system.quiet_start import silence_stderr
from train.recipes.config import NAMED_DATA
from train.search.no_winner import explain_no_winner
from train.search.space import Budget, choose_epochs, choose_sizes
from train.search.trial import ROOT, TrialConfig, time_files

if TYPE_CHECKING:
    from train.search.study import SearchConfig

EXAMPLES = """examples:
  python -m train.search --max-kb 100 --max-macs 12500000 --minutes 20 --workers 2
  python -m train.search --data photos/ --max-latency-ms 5 --trials 60 --minutes 240
  python -m train.search --like build/seed.tflite --minutes 20   # no larger and no slower than a file
  python -m train.search --out /shared/search --join               # help a search from another machine
"""
FINAL_TIMING_S = 10.0


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The parsed flags; ends the process with a usage line when they are wrong."""
    flags = VerbParser(
        prog="python -m train.search", description=__doc__, epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    flags.add_argument("--data", default="cifar10-mini", help="cifar10-mini (default), cifar10 or a folder of images")
    flags.add_argument("--data-path", type=Path, help="where cifar10 lies")
    flags.add_argument("--out", type=Path, help="folder of the search (default: runs/search-DATA)")
    flags.add_argument("--max-kb", type=float, help="kilobytes (1000) of the int8 model")
    flags.add_argument("--max-macs", type=int, help="multiplications per image")
    flags.add_argument("--max-latency-ms", type=float, help="milliseconds per image on this machine, one thread")
    flags.add_argument("--like", type=Path, metavar="FILE", help="no larger and no slower than this .tflite file")
    flags.add_argument("--sizes", type=int, nargs="+", help="input sizes to choose from")
    flags.add_argument("--epochs", type=int, help="of each trial (default: 12 to 60, fewer for more images)")
    flags.add_argument("--trials", type=int, default=200, help="largest number of trainings (default: 200)")
    flags.add_argument("--minutes", type=float, default=60.0, help="of this start (default: 60)")
    flags.add_argument("--workers", type=int, default=2, help="trials at a time (default: 2)")
    flags.add_argument("--seed", type=int, default=0, help="of each training")
    flags.add_argument("--join", action="store_true", help="only join a search that was started elsewhere")
    flags.add_argument("--json", action="store_true", help="print the result as JSON")
    add_quiet_flag(flags)
    options: argparse.Namespace = flags.parse_args(arguments)
    return options


def make_configuration(options: argparse.Namespace) -> SearchConfig:
    """The SearchConfig of parsed flags.

    Raises:
        UsageError: a flag is out of range.
        MissingInputError: the file for --like does not exist.
    """
    from train.datasets import open_dataset
    from train.search.study import SearchConfig

    for name in ("epochs", "trials", "minutes", "workers"):
        if getattr(options, name) is not None and getattr(options, name) <= 0:
            raise UsageError(f"--{name} is {getattr(options, name)}, expected a number above 0.")
    if options.like is not None and not options.like.is_file():
        raise MissingInputError(f"There is no file {options.like} to compare with; check --like.")
    data = options.data if options.data in NAMED_DATA else str(Path(options.data).resolve())
    data_path = None if options.data_path is None else options.data_path.resolve()
    sizes = tuple(options.sizes or choose_sizes(options.data))
    # Faults in the data are reported here, before any worker starts.
    dataset = open_dataset(data, data_path, InputSpec(sizes[0], sizes[0]), options.seed)
    trial = TrialConfig(
        data=data,
        data_path=data_path,
        epochs=options.epochs or choose_epochs(len(dataset.train.labels)),
        seed=options.seed,
        like=None if options.like is None else options.like.resolve(),
        cores=max(1, (os.cpu_count() or 1) // options.workers),
    )
    max_bytes = None if options.max_kb is None else round(1000 * options.max_kb)
    ratio = None
    if trial.like is not None:
        like_bytes = int(time_files([trial.like], trial)[str(trial.like)]["bytes"])
        max_bytes, ratio = min(like_bytes, max_bytes or like_bytes), 1.0
    out = options.out or Path("runs") / f"search-{Path(trial.data).name}"
    return SearchConfig(
        out=out.resolve(),
        trial=trial,
        budget=Budget(max_bytes, options.max_macs, options.max_latency_ms, ratio),
        sizes=sizes,
        num_classes=len(dataset.labels),
        trials=options.trials,
        minutes=options.minutes,
        workers=options.workers,
    )


def search(config: SearchConfig, *, join: bool, quiet: bool = False) -> int:
    """Runs the workers to the end; the exit code of the first that failed, or 0."""
    from optuna.trial import TrialState

    from train.search.study import begin
    from train.search.worker import run_worker

    study = begin(config)
    if not join:
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)  # an earlier run of the command was stopped during it
    deadline_s = time.time() + 60 * config.minutes
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=run_worker, args=(config, number, deadline_s, quiet)) for number in range(config.workers)
    ]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with interrupts_for_this_process():
            for process in processes:
                process.start()
        for process in processes:
            process.join()
    except KeyboardInterrupt:
        for process in processes:
            process.terminate()
            process.join()
        raise
    return next((process.exitcode or 0 for process in processes if process.exitcode), 0)


def finish(config: SearchConfig) -> dict[str, Any]:
    """Times the front again, alone and side by side; copies the winner; writes front.json and its page.

    Raises:
        DataError: nothing that was tried keeps within the budget.
    """
    from train.search.study import choose_front, count_run, count_too_slow, open_study, read_results

    study = open_study(config)
    found = read_results(study)
    numbers = [number for number in choose_front(found) if (config.out / "trials" / f"{number:04}" / "run").is_dir()]
    if not numbers:
        raise DataError(explain_no_winner(found, count_run(study), config.budget))
    files = {number: config.out / "trials" / f"{number:04}" / "model.tflite" for number in numbers}
    like = [config.trial.like] if config.trial.like is not None else []
    timed = time_files([*like, *files.values()], config.trial, FINAL_TIMING_S)
    rows = []
    for number, path in files.items():
        row = {"trial": number, **found[number], **timed[str(path)]}
        rows.append({**row, "excess": config.budget.excess(row), "accuracy": row["correct"] / row["num_images"]})
    inside = [row for row in rows if row["excess"] <= 0]
    if not inside:
        raise DataError(
            f"Timed again alone, none of {len(rows)} networks stays within the budget {config.budget}. Give more "
            "--minutes."
        )
    best = max(inside, key=lambda row: (row["validation_accuracy"], -row["bytes"]))
    source = config.out / "trials" / f"{best['trial']:04}"
    shutil.rmtree(config.out / "winner", ignore_errors=True)
    shutil.copytree(source / "run", config.out / "winner")
    shutil.copy2(source / "model.tflite", config.out / "winner.tflite")
    others = [{"trial": key, **row, "accuracy": row["correct"] / row["num_images"]} for key, row in found.items()]
    result = {
        "search": config.out.name,
        "data": config.trial.data,
        "budget": vars(config.budget),
        "like": None if config.trial.like is None else config.trial.like.name,
        "num_trials": len(found),
        "num_ended_early": count_run(study) - len(found),
        "count_too_slow": count_too_slow(study),
        "winner": best["trial"],
        "front": sorted(rows, key=lambda row: row["bytes"]),
        "all": others,
    }
    write_durably(config.out / "front.json", f"{json.dumps(result, indent=2, sort_keys=True)}\n".encode())
    subprocess.run(
        [sys.executable, "-m", "convert.report.search_page", str(config.out / "front.json")], cwd=ROOT, check=False
    )
    return result


def render_table(result: dict[str, Any]) -> str:
    """The front for a terminal; the winner is marked."""
    head = f"  {'network':32} size  validation  int8 test    bytes   M MACs      ms"
    lines = [head + (f"  x {result['like']}" if result["like"] else "")]
    for row in result["front"]:
        mark = "*" if row["trial"] == result["winner"] else " "
        lines.append(
            f"{mark} {row['model']:32} {row['size']:4}  {row['validation_accuracy']:10.2%}  {row['accuracy']:9.2%}  "
            f"{row['bytes']:7,}  {row['macs'] / 1e6:7.2f}  {row['latency_ms']:6.3f}"
            + (f"  {row['time_ratio']:.2f}" if result["like"] else "")
        )
    return "\n".join(lines)


def run(options: argparse.Namespace) -> int:
    """Searches, times the best again and prints them; the exit code of a worker that failed before any result."""
    with silence_stderr(options.quiet):
        config = make_configuration(options)
    failed = search(config, join=options.join, quiet=options.quiet)
    if options.join:
        return failed
    try:
        with silence_stderr(options.quiet):
            result = finish(config)  # a dead worker does not lose what the others finished
    except DataError:
        if failed:
            return failed
        raise
    if failed:
        print(f"a worker ended with exit code {failed}; the others' trials are below", file=sys.stderr)
    print(json.dumps(result) if options.json else render_table(result))
    if not options.quiet:
        print(f"winner: {config.out / 'winner'} and {config.out / 'winner.tflite'}", file=sys.stderr)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code."""
    return run_command(lambda: run(parse(arguments)), "interrupted; the same command continues this search")


if __name__ == "__main__":
    sys.exit(main())
