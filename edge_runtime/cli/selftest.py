"""``edge-runtime selftest``: replays the golden frames of a model file."""

from __future__ import annotations

from functools import partial

from edge_runtime.cli.flags import (
    add_classifier_flags,
    add_format_flag,
    open_flagged_classifier,
    open_flagged_model,
    print_result,
    verb_parser,
)


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "selftest",
        "Replays the golden frames of a model file: exact input bytes, outputs within what the kernels allow.",
        "edge-runtime selftest --model flowers.tflite",
        "edge-runtime selftest --backend tflite --format jsonl",
    )
    add_classifier_flags(parser)
    add_format_flag(parser)
    flags = parser.parse_args(arguments)

    import dataclasses

    from edge_runtime.inference.selftest import selftest
    from edge_runtime.reports.info import format_selftest

    with open_flagged_classifier(flags, open_flagged_model(flags)) as classifier:
        report = selftest(classifier)
    print_result(
        flags.format,
        partial(format_selftest, report),
        lambda: {"v": 1, "type": "selftest", "passed": report.passed, **dataclasses.asdict(report)},
    )
    return 0 if report.passed else 1
