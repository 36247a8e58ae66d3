"""``edge-runtime info``: what a model file expects and how accurate it is."""

from __future__ import annotations

from edge_runtime.cli.flags import add_format_flag, add_model_flags, open_flagged_model, print_result, verb_parser


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "info",
        "Shows what a model file expects and how accurate it is.",
        "edge-runtime info --model flowers.tflite",
        "edge-runtime info --model flowers.tflite --format jsonl",
        "edge-runtime info --models",
    )
    add_model_flags(parser)
    parser.add_argument("--models", action="store_true", help="list the models that this package ships instead")
    add_format_flag(parser)
    flags = parser.parse_args(arguments)

    if flags.models:
        from edge_runtime.model.model_file import open_model
        from edge_runtime.reports.shipped_models import list_object, list_text
        from edge_runtime.store.shipped import list_shipped_models

        models = {name: open_model(path) for name, path in list_shipped_models().items()}
        print_result(flags.format, lambda: list_text(models), lambda: list_object(models))
        return 0
    from edge_runtime.reports.info import format_info, make_info_object

    model = open_flagged_model(flags)
    print_result(flags.format, lambda: format_info(model), lambda: make_info_object(model))
    return 0
