"""The same trained model in every variant, measured: accuracy, size, memory and time; one table, one page, one advice.

Usage: python -m convert.compare RUN
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from convert.compare.comparison import DEFAULT_CALIBRATION, CompareConfig, compare
from convert.compare.page import render
from convert.compare.rows import to_json_text, to_markdown
from convert.foreign_flags import add_foreign_flags, read_foreign_flags
from convert.output.atomic import expect_room, write_text_atomically
from convert.output.progress import stage
from edge_runtime.cli.verb_parser import VerbParser, add_quiet_flag
from edge_runtime.errors import UsageError
from edge_runtime.system.command import run_command
from edge_runtime.system.quiet_start import silence_stderr

_EXAMPLES = """examples:
  python -m convert.compare runs/resnet8   # writes build/compare-resnet8.html, .json and .md
  python -m convert.compare runs/resnet8 --no-pruned   # without training pruned copies
  python -m convert.compare runs/resnet8 --pruned runs/resnet8-pruned50
"""


def parse(arguments: Sequence[str] | None = None) -> tuple[CompareConfig, argparse.Namespace]:
    """The configuration from the command line, and the flags that say what to print."""
    parser = VerbParser(
        prog="python -m convert.compare",
        description="Shows what each variant of a trained model costs and gains, and recommends one.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="run directory of the trained model, or a .keras file")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page (default: build/compare-RUN.html)")
    parser.add_argument("--pruned", type=Path, nargs="+", metavar="DIR", help="pruned runs that exist already")
    parser.add_argument("--no-pruned", action="store_true", help="no pruned copies")
    parser.add_argument("--others", type=Path, nargs="+", metavar="DIR", help="runs to show beside (default: found)")
    parser.add_argument("--no-others", action="store_true", help="this model alone")
    parser.add_argument("--pruning-epochs", type=int, default=5, help="epochs of fine-tuning (default: 5)")
    parser.add_argument(
        "--data-path", type=Path, help="where cifar10 lies, for fine-tuning a run that was trained on it"
    )
    parser.add_argument(
        "--calibration-images",
        type=int,
        default=DEFAULT_CALIBRATION,
        metavar="N",
        help=f"images to calibrate on (default: {DEFAULT_CALIBRATION})",
    )
    parser.add_argument("--seed", type=int, default=0, help="which calibration images are drawn (default: 0)")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[1, 2], help="thread counts to time with (default: 1 2)"
    )
    parser.add_argument(
        "--seconds", type=float, default=12.0, help="of timing for each backend and thread count (default: 12)"
    )
    parser.add_argument("--force", action="store_true", help="replace the page if it exists")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    add_quiet_flag(parser)
    add_foreign_flags(parser)
    options = parser.parse_args(arguments)
    foreign = read_foreign_flags(options)
    out = options.out or Path("build") / f"compare-{options.run.resolve().name.removesuffix('.keras')}.html"
    if out.suffix != ".html":
        raise UsageError(f"The page is {out}, expected a name that ends in .html.")
    config = CompareConfig(
        run=options.run,
        out=out,
        pruned=() if options.no_pruned or foreign is not None else tuple(options.pruned) if options.pruned else None,
        others=() if options.no_others or foreign is not None else tuple(options.others) if options.others else None,
        pruning_epochs=options.pruning_epochs,
        data_path=options.data_path,
        num_calibration_images=options.calibration_images,
        seed=options.seed,
        threads=tuple(options.threads),
        seconds=options.seconds,
        force=options.force,
        foreign=foreign,
    )
    return config, options


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, or those of the process, and returns its exit code."""
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    config, options = parse(arguments)
    expect_room(config.out, force=config.force)
    with silence_stderr(options.quiet):
        comparison = compare(config)
    texts = {".html": render(comparison), ".json": to_json_text(comparison), ".md": to_markdown(comparison)}
    for suffix, text in texts.items():
        write_text_atomically(config.out.with_suffix(suffix), text)
    print(texts[".json" if options.json else ".md"])
    if not options.quiet:
        stage(f"{config.out} written, with .json and .md beside it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
