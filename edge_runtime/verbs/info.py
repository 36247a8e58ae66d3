"""``edge-runtime info``: what a model file expects and how well it was measured to do."""

from __future__ import annotations

from edge_runtime.verbs.flags import add_format_flag, add_model_flags, open_flagged_model, print_result, verb_parser


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "info",
        "Shows what a model file expects and how well it was measured to do.",
        "edge-runtime info --model flowers.tflite",
        "edge-runtime info --model flowers.tflite --format jsonl",
    )
    add_model_flags(parser)
    add_format_flag(parser)
    flags = parser.parse_args(arguments)

    from edge_runtime.info import info_object, info_text

    model = open_flagged_model(flags)
    print_result(flags.format, lambda: info_text(model), lambda: info_object(model))
    return 0
