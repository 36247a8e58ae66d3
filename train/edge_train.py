"""The command `edge-train`: a folder of photos becomes one verified file, by training and then converting.

Each step is the ordinary command line in a separate process, so that training leaves nothing in conversion's memory.
Never trains or converts itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.cli.verb_parser import VerbParser, suggest
from edge_runtime.errors import MissingInputError
from edge_runtime.system.command import run_command
from train.recipes.config import NAMED_DATA
from train.runs.flags import fill_defaults, make_configuration, make_parser

PROGRAM = "edge-train"
# What `edge-train NAME` runs, with the flags that follow.
COMMANDS = {
    "train": "train",
    "convert": "convert",
    "sort": "train.sort",
    "search": "train.search",
    "prune": "train.prune",
    "compare": "convert.compare",
    "explain": "convert.explain",
    "improve": "convert.improve",
    "sign": "convert.sign",
    "pack": "convert.pack",
}
USAGE = f"""\
usage: edge-train FOLDER [--run DIR] [--out FILE] [flags of train] [-- flags of convert]
       edge-train COMMAND [flags]

Turns a folder of photos, one directory per class, into one verified .tflite file for the device. The same command goes
on after an interruption, and takes a run that is complete as it is.

FOLDER      photos, or {", ".join(NAMED_DATA)}; ./NAME for a folder that is called as a command
--run DIR   run directory of the training (default: runs/FOLDER-MODEL[-SIZE])
--out FILE  the file to write (default: build/RUN.tflite), with its report beside it
--quiet     print results, and nothing to stderr but errors

commands: {", ".join(COMMANDS)}; each has --help

examples:
  edge-train photos --size small
  edge-train photos --size tiny --minutes 5 --out build/mine.tflite
  edge-train photos -- --max-drop 0.5 --precision 98
  edge-train sort frames --into photos
"""
# The folder that holds the packages, for the child processes: a train.py in the user's folder must not come first.
_PACKAGES = str(Path(__file__).resolve().parents[1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code, which is that of the step that failed."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print(USAGE, end="", file=sys.stdout if given else sys.stderr)
        return 0 if given else 2
    if given[0] in COMMANDS:
        return run_command(lambda: run_step(COMMANDS[given[0]], given[1:]))
    return run_command(lambda: make_file(given))


def make_file(given: Sequence[str]) -> int:
    """Trains and converts as ``edge-train FOLDER ...`` says; returns the exit code of the step that failed, or 0.

    Raises:
        UsageError: a flag is wrong.
        MissingInputError: there is no such folder.
    """
    for_train, for_convert = _split(given)
    parser = VerbParser(prog=PROGRAM, allow_abbrev=False, add_help=False)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--out", type=Path)
    own, rest = parser.parse_known_args(for_train[1:])
    data = for_train[0] if for_train else ""
    flags = ["--data", data, *(["--out", str(own.run)] if own.run else []), *rest]
    args = fill_defaults(make_parser(PROGRAM).parse_args(flags))
    _expect_data(args.data)
    resume = [] if args.force or args.resume else ["--resume"]
    make_configuration(args)
    out = own.out or Path("build", f"{args.out.name}.tflite")
    exit_code = run_step("train", [*flags, *resume, *([] if own.run else ["--out", str(args.out)])])
    quiet = ["--quiet"] if args.quiet else []
    return exit_code or run_step("convert", [str(args.out), "--out", str(out), "--force", *quiet, *for_convert])


def _split(given: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments before ``--`` and after it."""
    cut = given.index("--") if "--" in given else len(given)
    return list(given[:cut]), list(given[cut + 1 :])


def _expect_data(data: str) -> None:
    folder = Path(data).expanduser()
    if data in NAMED_DATA or folder.is_dir():
        return
    beside = [path.name for path in sorted(folder.parent.glob("*")) if path.is_dir()] if folder.parent.is_dir() else []
    guess = suggest(folder.name, [*beside, *COMMANDS, *NAMED_DATA])
    raise MissingInputError(
        f"There is no folder {data}{guess}, expected photos in one directory per class; see {PROGRAM} --help."
    )


def run_step(module: str, arguments: Sequence[str]) -> int:
    """Runs ``python -m module`` to its end, or until a Ctrl-C; returns its exit code, 128 + N after signal N."""
    search_path = os.pathsep.join(filter(None, [_PACKAGES, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": search_path, "PYTHONSAFEPATH": "1"}
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], env=environment)
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt:  # the step got it, too, and says what to do
                continue
    finally:
        signal.signal(signal.SIGTERM, before)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
