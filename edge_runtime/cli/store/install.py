"""``edge-runtime install``: the model that is used when none is named."""

from __future__ import annotations

from edge_runtime.cli.flags import add_format_flag, add_store_flag, print_result, verb_parser


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "install",
        "Checks a model file, tries it in a process of its own (golden frames, speed), and puts it into use for every "
        "verb without --model. A running service takes it over between two frames; until it has given labels for 60 s "
        "it is a candidate, and one that fails its health check is rolled back by itself.",
        "edge-runtime install flowers.tflite",
        "edge-runtime install https://models.example/flowers.tflite",
        "edge-runtime install --max-latency-ms 40 large.tflite",
    )
    parser.add_argument("source", metavar="FILE|URL", help="a .tflite file that convert or adopt wrote, or its address")
    parser.add_argument("--backend", choices=("auto", "litert", "tflite"), default="auto", help="try it with this one")
    parser.add_argument(
        "--max-latency-ms",
        type=float,
        metavar="N",
        help="accept up to N ms a frame (default: eight times the installed one)",
    )
    parser.add_argument("--again", action="store_true", help="try a model that was refused before")
    add_store_flag(parser)
    add_format_flag(parser)
    flags = parser.parse_args(arguments)

    import dataclasses

    from edge_runtime.installed.install import InstallConfig, Installed, install
    from edge_runtime.store.store import Store

    config = InstallConfig(flags.backend, flags.max_latency_ms, flags.again)
    installed: Installed = install(flags.source, Store(flags.store), config)

    def text() -> str:
        if not installed.changed:
            return f"{installed.name} ({installed.model[:12]}) is in use already."
        latency = f", {installed.probe.latency_ms:.2f} ms a frame" if installed.probe else ""
        return f"{installed.name} ({installed.model[:12]}{latency}) is in use, a candidate until 60 s of labels."

    print_result(flags.format, text, lambda: {"v": 1, "type": "installed", **dataclasses.asdict(installed)})
    return 0
