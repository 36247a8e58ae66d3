"""Command line: compares a new model with the old one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from convert.improve.held_out import HeldOut, choose_held_out, read_log
from convert.improve.judgement import Answer
from convert.improve.page import Improvement, list_changed, to_html, to_markdown
from convert.inputs.run_directory import read_run_directory
from convert.inputs.source import Source
from convert.measure.gate import Probabilities, score_images
from convert.output.atomic import write_text_atomically
from edge_runtime.cli.verb_parser import VerbParser, add_quiet_flag
from edge_runtime.errors import MissingInputError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.model.model_file import open_model
from edge_runtime.system.command import run_command
from edge_runtime.system.quiet_start import silence_stderr

_EXAMPLES = """examples:
  python -m convert.improve runs/new --model build/new.tflite --against build/old.tflite --old-run runs/old
exit codes: 0 better, or no measurable difference; 1 worse; 2 usage;
  65 bad data, or no image that is new to both models; 66 input missing
"""


def make_parser() -> argparse.ArgumentParser:
    """All flags, with examples."""
    flags = VerbParser(
        prog="python -m convert.improve",
        description="Compares a new and an old model file on images that neither was trained on.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument("run", type=Path, help="the new model's run directory")
    flags.add_argument("--model", type=Path, required=True, metavar="FILE", help="the new model's file")
    flags.add_argument("--against", type=Path, required=True, metavar="FILE", help="the old model's file")
    flags.add_argument(
        "--old-run", type=Path, metavar="DIR", help="the old model's run directory, to see its test split"
    )
    flags.add_argument("--out", type=Path, metavar="FILE", help="the page to write (default: MODEL.improve.html)")
    add_quiet_flag(flags)
    return flags


def compare(args: argparse.Namespace) -> int:
    """Scores both, writes the page, prints the verdict; 1 when the new model is worse.

    Raises:
        MissingInputError, ModelError, DataError: a run, a file or a fair image is missing.
    """
    for path in (args.model, args.against):
        if not path.is_file():
            raise MissingInputError(f"There is no model file {path}; expected one that make convert wrote.")
    run = read_run_directory(args.run)
    old_run = read_run_directory(args.old_run) if args.old_run else None
    models = {"old": Classifier(open_model(args.against)), "new": Classifier(open_model(args.model))}
    held_out = choose_held_out(run, models["old"].contract, old_run, read_log(run))
    found = _score(run, held_out, models, (str(args.against), str(args.model)))
    named = {entry.name: entry for entry in held_out.entries}
    shown = [answer for better in (True, False) for answer in list_changed(found.answers, better=better)]
    page = args.out or args.model.with_suffix(".improve.html")
    html = to_html(found, {answer.image: named[answer.image].read() for answer in shown})
    write_text_atomically(page, html)
    print(to_markdown(found))
    print(f"page: {page}", file=sys.stderr)
    return 1 if found.verdict is not None and found.verdict.kind == "worse" else 0


def _score(run: Source, held_out: HeldOut, models: dict[str, Classifier], files: tuple[str, str]) -> Improvement:
    answers = []
    scores = {
        name: score_images({name: classifier}, held_out.entries, f"Running the {name} model")[name]
        for name, classifier in models.items()
    }
    said = {name: _best_answers(scores[name], classifier) for name, classifier in models.items()}
    for entry, old, new in zip(held_out.entries, said["old"], said["new"], strict=True):
        answers.append(Answer(entry.name, run.spec.labels[entry.label], *old, *new))
    known = set(models["old"].contract.spec.labels)
    return Improvement(
        old_name=files[0],
        new_name=files[1],
        answers=tuple(answer for answer in answers if answer.truth in known),
        new_classes=tuple(answer for answer in answers if answer.truth not in known),
        from_camera=frozenset(entry.name for entry in held_out.entries if entry.sha256 in held_out.from_camera),
        num_left_out=held_out.num_left_out,
    )


def _best_answers(scores: Probabilities, classifier: Classifier) -> list[tuple[str, float]]:
    """The label with the best score, and that score, for each row."""
    labels = classifier.contract.spec.labels
    return [(labels[int(best)], float(row[best])) for row, best in zip(scores, scores.argmax(axis=1), strict=True)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, or those of the process, and returns its exit code."""
    return run_command(lambda: _run(make_parser().parse_args(arguments)))


def _run(args: argparse.Namespace) -> int:
    with silence_stderr(args.quiet):
        return compare(args)


if __name__ == "__main__":
    sys.exit(main())
